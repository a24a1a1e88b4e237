"""How the tables of a project's database came to be, one step a file in `versions`."""

HEAD = "0004"
