"""The verbs of the command line, one module a theme; `app.cli` puts them together."""
