"""How many cards and processes a number of users needs: `python -m tests.simulate.scaling`."""
