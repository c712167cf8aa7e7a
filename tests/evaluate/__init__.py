"""How well the bot does what it promises, on data that the tests make themselves."""
