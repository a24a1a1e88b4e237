"""Make data_samples/queries: product search queries put together by a seeded grammar, some with a planted wrong label.

    python -m data_samples.make_queries --out FOLDER

The same version of this script writes the same bytes on every machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_samples.sample_files import PREFIXES, write_csv, write_from_command_line

SEED = 26
SIZES = {"train": 900, "valid": 200, "test": 200, "unlabelled": 200}
ERROR_RATE = 0.08
LOOK_ALIKE_SHARE = 0.8
TYPO_SHARE = 0.1
VAGUE_SHARE = 0.15

COLOURS = (
    "black", "white", "grey", "beige", "navy", "dark green", "mustard", "terracotta", "light blue", "pink", "brown",
    "off white", "charcoal", "teal", "burgundy",
)  # fmt: skip
WOODS = (
    "oak",
    "walnut",
    "pine",
    "bamboo",
    "acacia",
    "birch",
    "wooden",
    "solid wood",
    "rattan",
    "metal",
    "glass",
)
FABRICS = (
    "linen",
    "velvet",
    "cotton",
    "wool",
    "polyester",
    "boucle",
    "jute",
    "faux leather",
    "corduroy",
    "fleece",
)
STYLES = (
    "modern", "vintage", "rustic", "scandinavian", "industrial", "boho", "farmhouse", "minimalist", "art deco",
    "mid century", "small", "large", "extra large", "slim", "cheap", "handmade", "kids", "second hand",
)  # fmt: skip
ENDINGS = (
    "on sale", "under 50", "under 100", "free delivery", "near me", "set of 2", "set of 4", "with reviews", "ideas",
    "best rated", "same day", "pick up in store", "returns", "new", "by the metre",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shelf:
    """What people look for in one department.

    heads : what the thing is called; some are called the same in two departments
    details : what its kind can have; made_of : what it can be of
    uses : where or what for; many name things of other departments
    vague : what the thing is called by who does not say it plainly; other departments have it too
    alike : the departments whose things it is taken for
    """

    heads: tuple[str, ...]
    details: tuple[str, ...]
    made_of: tuple[str, ...]
    uses: tuple[str, ...]
    vague: tuple[str, ...]
    alike: tuple[str, ...]


SHELVES = {
    "chairs": Shelf(
        heads=("chair", "dining chair", "desk chair", "office chair", "bar stool", "stool", "folding chair", "bench",
               "rocking chair", "high chair", "gaming chair", "accent chair"),
        details=("ergonomic", "with wheels", "swivel", "stackable", "upholstered", "with arms", "high back",
                 "counter height", "adjustable"),
        made_of=(*WOODS, *FABRICS),
        uses=("for desk", "for dining table", "for kitchen island", "for balcony", "for bedroom corner",
              "for bad back", "for home office", "for piano"),
        vague=("seating", "bench", "ottoman", "seat", "cushion"),
        alike=("sofas", "outdoor"),
    ),
    "sofas": Shelf(
        heads=("sofa", "couch", "loveseat", "sectional", "sofa bed", "recliner", "armchair", "chaise", "futon",
               "corner sofa", "ottoman", "pull out couch"),
        details=("2 seater", "3 seater", "l shaped", "modular", "reversible", "with storage", "deep seat", "reclining",
                 "with chaise"),
        made_of=FABRICS,
        uses=("for small living room", "for guest room", "for studio flat", "for reading corner", "with washable cover",
              "for basement", "for tv room", "to sleep on"),
        vague=("seating", "ottoman", "cover", "throw", "seat"),
        alike=("chairs", "bedding"),
    ),
    "tables": Shelf(
        heads=("table", "dining table", "coffee table", "side table", "desk", "standing desk", "console table",
               "nightstand", "bedside table", "end table", "writing desk", "nesting tables"),
        details=("round", "extendable", "with drawers", "foldable", "lift top", "height adjustable", "narrow",
                 "marble top", "4 seater", "6 seater"),
        made_of=WOODS,
        uses=("for laptop", "for hallway", "next to sofa", "for lamp", "for 6 people", "for small kitchen",
              "for home office", "with shelf underneath", "for balcony"),
        vague=("stand", "top", "set", "tray", "bench"),
        alike=("shelves", "outdoor"),
    ),
    "shelves": Shelf(
        heads=("bookshelf", "bookcase", "shelf", "wall shelf", "floating shelf", "shelving unit", "tv stand",
               "shoe rack", "ladder shelf", "corner shelf", "cube shelf", "display cabinet"),
        details=("5 tier", "wall mounted", "with doors", "open back", "narrow", "heavy duty", "with led", "stackable",
                 "tall"),
        made_of=WOODS,
        uses=("for books", "above desk", "for plants", "for kitchen", "for storage boxes", "for bathroom",
              "for entryway", "over toilet", "behind sofa"),
        vague=("cabinet", "rack", "stand", "unit", "organizer"),
        alike=("storage", "tables"),
    ),
    "storage": Shelf(
        heads=("storage box", "storage basket", "laundry basket", "drawer organizer", "storage chest", "bin with lid",
               "shoe rack", "under bed storage", "coat rack", "closet organizer", "toy box", "storage bench"),
        details=("stackable", "with lid", "clear", "collapsible", "with wheels", "labelled", "waterproof", "woven",
                 "3 compartments"),
        made_of=("plastic", "fabric", "rattan", "bamboo", "wooden", "metal", "felt", "seagrass"),
        uses=("for toys", "for shelf", "for winter clothes", "for blankets", "for bedding", "for garage", "for shoes",
              "for cushions", "under desk", "for cables"),
        vague=("cabinet", "rack", "organizer", "chest", "bench"),
        alike=("shelves", "bedding"),
    ),
    "lamps": Shelf(
        heads=("lamp", "floor lamp", "table lamp", "desk lamp", "pendant light", "ceiling light", "wall light",
               "string lights", "bedside lamp", "led strip", "chandelier", "night light"),
        details=("dimmable", "with shelves", "rechargeable", "warm white", "touch control", "plug in", "arc",
                 "with remote", "motion sensor", "e27"),
        made_of=("brass", "glass", "rattan", "paper", "metal", "ceramic", "linen shade", "wooden"),
        uses=("for desk", "for nightstand", "over dining table", "for reading chair", "for stairs", "for patio",
              "for kids room", "behind tv", "for bookshelf"),
        vague=("lantern", "stand", "light", "shade", "set"),
        alike=("tables", "outdoor"),
    ),
    "rugs": Shelf(
        heads=("rug", "area rug", "runner", "round rug", "bath mat", "doormat", "carpet", "shag rug", "washable rug",
               "rug pad", "kitchen mat", "sheepskin"),
        details=("8x10", "5x7", "160x230", "non slip", "low pile", "high pile", "reversible", "patterned", "soft",
                 "stain resistant"),
        made_of=("wool", "jute", "cotton", "viscose", "sisal", "faux fur", "recycled", "bamboo"),
        uses=("for hallway", "under dining table", "for bedroom", "for living room", "under sofa", "for front door",
              "for bathroom", "for patio", "for office chair"),
        vague=("mat", "cover", "pad", "throw", "protector"),
        alike=("bedding", "outdoor"),
    ),
    "curtains": Shelf(
        heads=("curtains", "blackout curtains", "sheer curtains", "blinds", "roller blind", "curtain rod", "drapes",
               "shower curtain", "net curtain", "roman shade", "window film", "curtain panels"),
        details=("thermal", "90 inch", "extra long", "floor length", "with eyelets", "no drill", "light filtering",
                 "patterned", "washable", "double width"),
        made_of=("linen", "velvet", "cotton", "polyester", "bamboo", "silk", "voile"),
        uses=("for bedroom", "for sliding door", "for patio door", "for nursery", "for bay window",
              "for kitchen window", "as room divider", "for canopy bed", "for skylight"),
        vague=("cover", "shade", "panel", "set", "screen"),
        alike=("bedding", "rugs"),
    ),
    "bedding": Shelf(
        heads=("duvet cover", "bed sheets", "pillow", "comforter", "mattress topper", "throw blanket", "quilt",
               "pillowcase", "fitted sheet", "throw pillow", "weighted blanket", "bed skirt"),
        details=("queen size", "king size", "twin xl", "hypoallergenic", "cooling", "deep pocket", "quilted",
                 "washable", "all season", "down alternative"),
        made_of=("linen", "cotton", "silk", "flannel", "velvet", "wool", "bamboo", "fleece", "satin"),
        uses=("for sofa", "for side sleepers", "for hot sleepers", "for guest bed", "for sofa bed", "for bench",
              "for toddlers", "for winter", "for rocking chair"),
        vague=("throw", "cover", "cushion", "set", "pad"),
        alike=("sofas", "curtains"),
    ),
    "outdoor": Shelf(
        heads=("patio table", "garden chair", "outdoor rug", "hammock", "patio umbrella", "outdoor bench",
               "string lights", "sun lounger", "outdoor cushions", "deck box", "folding chair", "bistro set"),
        details=("weatherproof", "foldable", "with cushions", "solar", "waterproof", "uv resistant", "with stand",
                 "rust proof", "4 piece", "stackable"),
        made_of=("teak", "rattan", "metal", "aluminium", "wicker", "acacia", "plastic", "eucalyptus"),
        uses=("for balcony", "for patio", "for garden", "for camping", "by the pool", "for deck", "for small terrace",
              "for storage", "for winter"),
        vague=("lantern", "mat", "cushion", "set", "seating"),
        alike=("chairs", "tables"),
    ),
}  # fmt: skip

README = """# Product search queries

1,500 queries as people type them into the search of a furniture shop, made by a seeded grammar of ours: nothing is
taken from a shop or from anybody's log. Ten departments are the classes. Departments share words ("folding chair",
"string lights", "shoe rack" are in two; "lamp for desk" names the thing of another), and one query in seven names its
thing vaguely ("grey seating"), so that some cannot be told apart by anybody. One in ten has a typing error.

| file | what |
|---|---|
| `train.csv` | `id,text,label`: 900 queries, 72 (8 %) with a planted wrong label, mostly of a department like it |
| `valid.csv`, `test.csv` | `id,text,label`: 200 queries each, labels as the grammar has them |
| `unlabelled.csv` | `id,text`: 200 queries |
| `planted_errors.csv` | `id,given_label,true_label`: for scoring only, never read by Winnow |

`python -m data_samples.make_queries --out FOLDER` makes the folder again, byte for byte.
"""


def write_queries(folder: Path) -> None:
    """Write tables and README into a folder that does not exist yet."""
    rng = np.random.default_rng(SEED)
    texts, labels = _queries(sum(SIZES.values()), rng)
    folder.mkdir(parents=True)
    start = 0
    for split, size in SIZES.items():
        part = slice(start, start + size)
        start += size
        ids = [f"{PREFIXES[split]}{number:04d}" for number in range(size)]
        given = labels[part]
        if split == "train":
            given = _plant_errors(labels[part], rng)
            planted = zip(ids, given, labels[part], strict=True)
            wrong = [row for row in planted if row[1] != row[2]]
            write_csv(folder / "planted_errors.csv", ("id", "given_label", "true_label"), wrong)
        if split == "unlabelled":
            write_csv(folder / f"{split}.csv", ("id", "text"), zip(ids, texts[part], strict=True))
        else:
            rows = zip(ids, texts[part], given, strict=True)
            write_csv(folder / f"{split}.csv", ("id", "text", "label"), rows)
    (folder / "README.md").write_bytes(README.encode())


def _queries(n: int, rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Different queries and their departments; no two have the same words."""
    texts: list[str] = []
    labels: list[str] = []
    seen: set[frozenset[str]] = set()
    while len(texts) < n:
        label = list(SHELVES)[rng.integers(len(SHELVES))]
        text = _query(SHELVES[label], rng)
        words = frozenset(text.split())
        if words not in seen:
            seen.add(words)
            texts.append(_with_typo(text, rng) if rng.random() < TYPO_SHARE else text)
            labels.append(label)
    return texts, labels


def _query(shelf: Shelf, rng: np.random.Generator) -> str:
    """What it is, with one to four things around it that are each said or not."""
    before: list[str] = []
    behind: list[str] = []
    for chance, words, at_end in (
        (0.3, STYLES, False),
        (0.35, COLOURS, False),
        (0.4, shelf.made_of, False),
        (0.45, shelf.details, True),
        (0.5, shelf.uses, True),
        (0.15, ENDINGS, True),
    ):
        if rng.random() < chance:
            (behind if at_end else before).append(_one_of(words, rng))
    if not before and not behind:
        before.append(_one_of(COLOURS, rng))
    heads = shelf.vague if rng.random() < VAGUE_SHARE else shelf.heads
    parts = [*before, _one_of(heads, rng), *behind]
    if len(parts) == 2 and rng.random() < 0.3:
        parts = parts[::-1]
    return " ".join(parts)


def _one_of(words: Sequence[str], rng: np.random.Generator) -> str:
    return words[rng.integers(len(words))]


def _with_typo(text: str, rng: np.random.Generator) -> str:
    """One letter left out, doubled or swapped with the next, not the first of the query."""
    places = [
        place for place in range(1, len(text) - 1) if text[place].isalpha() and text[place + 1].isalpha()
    ]
    place = places[rng.integers(len(places))]
    first, second = text[place], text[place + 1]
    changed = ("", first + first, second + first)[rng.integers(3)]
    rest = text[place + 2 :] if changed == second + first else text[place + 1 :]
    return text[:place] + changed + rest


def _plant_errors(true: Sequence[str], rng: np.random.Generator) -> list[str]:
    """The labels with ERROR_RATE of them wrong, most of those taken from the departments that are alike."""
    given = list(true)
    for row in rng.choice(len(true), size=round(ERROR_RATE * len(true)), replace=False):
        others = [label for label in SHELVES if label != true[row]]
        alike = SHELVES[true[row]].alike
        given[row] = _one_of(alike if rng.random() < LOOK_ALIKE_SHARE else others, rng)
    return given


if __name__ == "__main__":
    write_from_command_line(write_queries, description="Make the sample of product search queries.")
