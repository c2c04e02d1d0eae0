import threading
import time

from dms.sinks.outbox import Outbox, Packet


def event(n):
    return Packet(f"e/{n}", str(n), retain=False)


def state(n):
    return Packet("state", str(n), retain=True)


def drain(outbox):
    """Take and confirm until nothing is left, like a broker that answers at once."""
    payloads = []
    mid = 0
    while packet := outbox.take():
        mid += 1
        outbox.sent(packet, mid)
        outbox.confirm(mid)
        payloads.append(packet.payload)
    return payloads


def test_only_the_newest_of_a_topic_waits():
    outbox = Outbox(10)
    for n in range(5):
        outbox.put_newest(state(n))
    assert drain(outbox) == ["4"]


def test_events_keep_their_order_and_the_oldest_goes_when_full():
    outbox = Outbox(3)
    assert [outbox.put_event(event(n)) for n in range(5)] == [True, True, True, False, False]
    assert outbox.dropped == 2
    assert drain(outbox) == ["2", "3", "4"]


def test_one_of_a_lane_is_under_way_at_a_time():
    outbox = Outbox(3)
    outbox.put_event(event(1))
    outbox.put_event(event(2))
    outbox.put_newest(state(1))
    first, second = outbox.take(), outbox.take()
    assert {first.payload, second.topic} == {"1", "state"}
    assert outbox.take() is None
    outbox.sent(first, 11)
    outbox.confirm(11)
    assert outbox.take() == event(2)


def test_a_newer_state_waits_for_the_older_one_under_way():
    outbox = Outbox(3)
    outbox.put_newest(state(1))
    outbox.sent(outbox.take(), 1)
    outbox.put_newest(state(2))
    outbox.put_newest(state(3))
    assert outbox.take() is None
    outbox.confirm(1)
    assert outbox.take() == state(3)


def test_the_broker_may_confirm_before_the_sender_knows_the_id():
    outbox = Outbox(3)
    outbox.put_event(event(1))
    packet = outbox.take()
    outbox.confirm(5)
    outbox.sent(packet, 5)
    assert outbox.wait_empty(0)


def test_renew_queues_retained_topics_again_but_no_event_and_nothing_under_way():
    outbox = Outbox(3)
    outbox.put_newest(state(1))
    outbox.put_newest(Packet("metrics", "m", retain=False))
    outbox.put_event(event(1))
    assert sorted(drain(outbox)) == ["1", "1", "m"]
    outbox.renew()
    assert drain(outbox) == ["1"]
    outbox.put_newest(state(2))
    outbox.sent(outbox.take(), 9)
    outbox.renew()
    assert outbox.take() is None


def test_events_under_way_count_as_waiting():
    outbox = Outbox(3)
    assert outbox.events_waiting() == 0
    outbox.put_event(event(1))
    outbox.put_event(event(2))
    outbox.take()
    assert outbox.events_waiting() == 2


def test_a_broker_that_owes_a_confirmation_is_known():
    outbox = Outbox(3)
    outbox.put_event(event(1))
    assert outbox.unconfirmed_s() == 0
    outbox.sent(outbox.take(), 1)
    time.sleep(0.01)
    assert outbox.unconfirmed_s() >= 0.01
    outbox.confirm(1)
    assert outbox.unconfirmed_s() == 0


def test_wait_empty_ends_when_the_last_is_confirmed():
    outbox = Outbox(3)
    outbox.put_event(event(1))
    outbox.sent(outbox.take(), 1)
    assert not outbox.wait_empty(0)
    confirmer = threading.Thread(daemon=True, target=outbox.confirm, args=(1,))
    confirmer.start()
    assert outbox.wait_empty(5)
    confirmer.join()


def test_what_arrived_is_told_and_what_was_refused_is_not():
    arrived = []
    outbox = Outbox(3, arrived=arrived.append)
    for n in range(3):
        outbox.put_event(event(n))
    outbox.sent(outbox.take(), 1)
    outbox.confirm(1)
    outbox.sent(outbox.take(), 2)
    outbox.confirm(2, accepted=False)
    early = outbox.take()
    outbox.confirm(3, accepted=False)
    outbox.sent(early, 3)
    assert arrived == [event(0)]


def test_what_is_told_again_is_not_timed_again():
    arrived = []
    outbox = Outbox(3, arrived=arrived.append)
    outbox.put_newest(Packet("state", "1", retain=True, captured_s=7.0))
    drain(outbox)
    outbox.renew()
    drain(outbox)
    assert [packet.captured_s for packet in arrived] == [7.0, None]


def test_the_oldest_that_waits_is_the_first_of_its_topic_whatever_replaced_it():
    outbox = Outbox(3)
    assert outbox.oldest_s() == 0
    now_s = time.monotonic()
    outbox.put_newest(Packet("state", "1", retain=True, queued_s=now_s - 50))
    outbox.put_newest(Packet("state", "2", retain=True, queued_s=now_s))
    outbox.put_event(Packet("e/1", "1", retain=False, queued_s=now_s - 20))
    assert 50 <= outbox.oldest_s() < 60
    outbox.sent(outbox.take(), 1)
    assert outbox.oldest_s() >= 50, "under way is not there yet"
    outbox.confirm(1)
    assert 20 <= outbox.oldest_s() < 30
    drain(outbox)
    assert outbox.oldest_s() == 0
