"""`dms campaign`: the whole system on the simulated driver, by light, eyewear, pose, rate, noise and skin.

`plan` says what is driven, `drive` makes one drive, `trial` judges it, `campaign` runs all side by side,
`figures` counts by group, `report` shows.
"""
