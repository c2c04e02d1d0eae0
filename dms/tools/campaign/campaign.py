"""All drives of a campaign, side by side on the processor's cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from dms.tools.campaign.plan import Group
from dms.tools.campaign.trial import Trial, judged


def run(
    groups: Sequence[Group], drives: int, workers: int, progress: Callable[[int, int], None]
) -> list[Trial]:
    """Judge `drives` drives of every group, seeds 1 to `drives`; the order of the result is that of the plan.

    Args:
        groups: what is driven.
        drives: how many each.
        workers: processes; each holds engines of its own.
        progress: called with drives done and drives in all.
    """
    plan = [(group, seed) for group in groups for seed in range(1, drives + 1)]
    with ProcessPoolExecutor(min(workers, len(plan)), mp_context=get_context("spawn")) as pool:
        pending: list[Future[Trial]] = [pool.submit(judged, group, seed) for group, seed in plan]
        try:
            for done, _ in enumerate(as_completed(pending), 1):
                progress(done, len(plan))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return [future.result() for future in pending]
