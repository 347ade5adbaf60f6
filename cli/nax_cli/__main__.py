"""``python -m nax_cli`` is ``naxbo``."""

from nax_cli.main import main

if __name__ == "__main__":
    main()
