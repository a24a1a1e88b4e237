"""How the app looks: calm and dense, one accent colour, surfaces dimmer than the items; every pair meets WCAG AA."""

from collections.abc import Mapping

LIGHT = {
    "primaryColor": "#0b6672",
    "backgroundColor": "#f3f4f5",
    "secondaryBackgroundColor": "#e8eaec",
    "textColor": "#1b2125",
    "borderColor": "#cfd5d9",
    "linkColor": "#0b6672",
    "redColor": "#b3261e",
    "redTextColor": "#8c1d18",
    "redBackgroundColor": "#f9e3e1",
    "dataframeHeaderBackgroundColor": "#e8eaec",
    "dataframeBorderColor": "#d9dde0",
    "chartCategoricalColors": ["#0b6672", "#b5651d", "#5b5fa8", "#7a7f34", "#a3476b", "#5d6b75"],
    "chartSequentialColors": [
        "#f3f4f5",
        "#d9e6e7",
        "#bcd6d9",
        "#9dc5c9",
        "#7cb1b7",
        "#5a9ca3",
        "#3b878f",
        "#1f727c",
        "#0b5c67",
        "#064751",
    ],
}

DARK = {
    "primaryColor": "#5cc0cb",
    "backgroundColor": "#15191c",
    "secondaryBackgroundColor": "#1f2529",
    "textColor": "#e3e7e9",
    "borderColor": "#363e44",
    "linkColor": "#5cc0cb",
    "redColor": "#f2857c",
    "redTextColor": "#f8aaa3",
    "redBackgroundColor": "#3c2220",
    "dataframeHeaderBackgroundColor": "#1f2529",
    "dataframeBorderColor": "#2c3338",
    "chartCategoricalColors": ["#5cc0cb", "#e0a15e", "#a3a6e6", "#c2c770", "#e08fb0", "#9fadb7"],
    "chartSequentialColors": [
        "#1a2023",
        "#1d2f33",
        "#204046",
        "#24535a",
        "#29676f",
        "#317c86",
        "#3d929d",
        "#4fa9b4",
        "#68c0ca",
        "#8ad6df",
    ],
}

LIGHT_SIDEBAR = {"backgroundColor": "#e8eaec", "secondaryBackgroundColor": "#f3f4f5"}
DARK_SIDEBAR = {"backgroundColor": "#101315", "secondaryBackgroundColor": "#1f2529"}

SHARED: dict[str, object] = {
    "baseRadius": "6px",
    "buttonRadius": "6px",
    "baseFontSize": 15,
    "headingFontSizes": ["1.65rem", "1.25rem", "1.05rem", "1rem", "0.9rem", "0.9rem"],
    "headingFontWeights": [650, 650, 650, 600, 600, 600],
    "metricValueFontSize": "1.7rem",
    "showWidgetBorder": True,
    "showSidebarBorder": False,
    "paddingTop": "2.2rem",
    "paddingBottom": "2rem",
}


def theme_options() -> dict[str, object]:
    """The theme as Streamlit options, named "theme.…"; light or dark follows the person's system."""
    sections: dict[str, Mapping[str, object]] = {
        "theme": SHARED,
        "theme.light": LIGHT,
        "theme.dark": DARK,
        "theme.light.sidebar": LIGHT_SIDEBAR,
        "theme.dark.sidebar": DARK_SIDEBAR,
    }
    return {
        f"{section}.{name}": value for section, options in sections.items() for name, value in options.items()
    }
