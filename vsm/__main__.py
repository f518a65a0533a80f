"""`python -m vsm`: the same as the program `vsm`."""

from vsm.cli import main

if __name__ == "__main__":
    main()
