"""Several labels an item: targets, thresholds, metrics, splits, and what is wrong with which label.

An item has a set of labels. Each of its classes is a *pair* of the item and the class, whose given value is that the
item has the label or has it not; a wrong pair is `superfluous` or `missing`. An item without any label can be
`labelled` with none, or not labelled at all.
"""
