"""What items whose content comes from the columns of a table have in common: their columns and their ids."""

import re
from collections import Counter
from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from curation.dataset.sources import Table
from curation.spreadsheet import CURATED_COLUMNS, exported_name

ID_LENGTH = 16
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


def content_columns(table: Table, labels: Sequence[str]) -> list[str]:
    """The columns of an export of Winnow that are neither its own nor those of these classes."""
    own = {*CURATED_COLUMNS, *map(exported_name, labels)}
    return [name for name in table.header if name not in own]


def ids_of_content(rows: pd.DataFrame, content_hash: Sequence[str]) -> pd.Series:
    """The id of each row as its source has it; of one that has neither id nor file, the beginning of its content hash.

    The second row of one content gets "-2" behind it, and so on.
    rows : columns item_id, path
    """
    seen: Counter[str] = Counter()
    ids = rows["item_id"].tolist()
    nameless = ((rows["item_id"].str.strip() == "") & (rows["path"] == "")).tolist()
    for place, (is_nameless, digest) in enumerate(zip(nameless, content_hash, strict=True)):
        if is_nameless:
            short = digest[:ID_LENGTH]
            seen[short] += 1
            ids[place] = short if seen[short] == 1 else f"{short}-{seen[short]}"
    return pd.Series(ids, index=rows.index, dtype=object)


def names_searched(table: pa.Table) -> pa.ChunkedArray:
    """What the search finds an item of a stored table by beside its content: its path, else the id that the source gave
    it; nothing where the id was made of the content."""
    ids, hashes = (table[name].cast(pa.large_string()) for name in ("item_id", "content_hash"))
    made = pc.equal(pc.utf8_slice_codeunits(ids, 0, ID_LENGTH), pc.utf8_slice_codeunits(hashes, 0, ID_LENGTH))
    nothing = pa.scalar("", pa.large_string())
    path = table["path"].cast(pa.large_string())
    return pc.if_else(pc.not_equal(path, ""), path, pc.if_else(made, nothing, ids))


def looks_like_number(cell: str) -> bool:
    """Whether the cell is a number as programs write it.

    >>> looks_like_number(" -1.5e3 "), looks_like_number("1,5")
    (True, False)
    """
    return NUMBER.fullmatch(cell.strip()) is not None
