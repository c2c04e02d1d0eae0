"""`python -m dms`: the same as the command `dms`."""

from dms.cli import main

if __name__ == "__main__":
    main(prog_name="dms")
