"""The screen and the command line: Streamlit pages, the label grid, figures. No arithmetic lives here."""
