"""The invented names, places and goods of which the sample shop is made."""

from collections.abc import Sequence

FIRST_NAMES = (
    "Alder", "Anouk", "Bastian", "Beatriz", "Caspar", "Dalia", "Edda", "Emeka", "Farida", "Florin",
    "Gideon", "Hanae", "Idris", "Ilse", "Jolanta", "Kofi", "Leocadia", "Lorcan", "Mara", "Mirko",
    "Nadim", "Nerys", "Oona", "Orhan", "Petra", "Quentin", "Rukmini", "Sanna", "Severin", "Tamsin",
    "Tariq", "Ulrike", "Vesna", "Wendel", "Xiomara", "Yorick", "Yuna", "Zdenka", "Zeno", "Zofia",
)  # fmt: skip
LAST_NAMES = (
    "Abelard", "Bramwell", "Caddock", "Dunmore", "Eskola", "Fenwright", "Gallow", "Hartsock", "Imbert",
    "Jansky", "Kettering", "Lind", "Marlowe", "Norrby", "Okonjo", "Pellerin", "Quillan", "Rosendal",
    "Sorrel", "Tolliver", "Underhill", "Vasko", "Whitlow", "Yarrow", "Zielke",
)  # fmt: skip
STREETS = (
    "Alder Row", "Bellfounder Street", "Candlewick Way", "Drovers Lane", "Ferry Quay", "Glassworks Road",
    "Heron Walk", "Kiln Street", "Lantern Court", "Millrace Avenue", "Old Orchard Road", "Quarry Hill",
    "Ropewalk", "Saltmarsh Drive", "Thistle Close", "Weavers Yard",
)  # fmt: skip
CITIES = (
    ("Harrowmere", "ME", "041"), ("Port Calder", "WA", "985"), ("Linden Falls", "OH", "442"),
    ("Ashgrove", "TX", "768"), ("Saltwick", "MA", "021"), ("Copperdale", "CO", "804"),
    ("New Bexley", "IL", "617"), ("Rookhaven", "NC", "281"), ("Windle", "MN", "553"),
    ("Marrow Bay", "CA", "934"), ("Tansy Hollow", "TN", "377"), ("Greyford", "PA", "180"),
)  # fmt: skip
"""City, state, and the first three digits of its zip codes."""

_Options = dict[str, Sequence[str]]
_COLOURS = ("black", "white", "forest green", "slate blue", "terracotta")
_SIZES = ("S", "M", "L", "XL")

CATALOGUE: dict[str, tuple[float, _Options]] = {
    "Alarm Radio": (44.0, {"colour": _COLOURS, "power": ("battery", "mains")}),
    "Apron": (27.5, {"colour": _COLOURS, "cloth": ("linen", "cotton")}),
    "Bath Towel": (22.0, {"colour": _COLOURS, "size": ("hand", "bath", "sheet")}),
    "Bed Linen": (89.0, {"colour": _COLOURS, "size": ("single", "double", "king")}),
    "Bicycle Bell": (14.5, {"finish": ("brass", "steel", "black"), "tone": ("single", "ding-dong")}),
    "Bicycle Lamp": (
        39.0,
        {"brightness": ("200 lumen", "500 lumen", "900 lumen"), "charging": ("USB", "dynamo")},
    ),
    "Board Game": (48.0, {"players": ("2", "2-4", "4-8"), "language": ("English", "Chinese", "German")}),
    "Bread Knife": (58.0, {"length": ("20 cm", "25 cm"), "handle": ("oak", "walnut", "steel")}),
    "Camping Stove": (76.0, {"fuel": ("gas", "spirit", "wood"), "burners": ("1", "2")}),
    "Carafe": (31.0, {"volume": ("0.5 l", "1 l", "1.5 l"), "glass": ("clear", "smoked")}),
    "Cast Iron Pan": (69.0, {"diameter": ("20 cm", "24 cm", "28 cm"), "surface": ("raw", "enamelled")}),
    "Chess Set": (112.0, {"wood": ("maple", "walnut", "ebony"), "board": ("folding", "solid")}),
    "Coat Rack": (134.0, {"wood": ("oak", "ash", "beech"), "hooks": ("4", "6", "8")}),
    "Coffee Grinder": (
        149.0,
        {"drive": ("hand", "electric"), "burrs": ("steel", "ceramic"), "colour": _COLOURS[:3]},
    ),
    "Cutting Board": (42.0, {"wood": ("beech", "olive", "maple"), "size": ("small", "medium", "large")}),
    "Desk Lamp": (95.0, {"colour": _COLOURS, "light": ("warm", "neutral", "adjustable")}),
    "Door Mat": (33.0, {"material": ("coir", "rubber"), "size": ("60 x 40 cm", "75 x 50 cm", "90 x 60 cm")}),
    "Fountain Pen": (84.0, {"nib": ("fine", "medium", "broad"), "colour": _COLOURS}),
    "Garden Shears": (
        46.0,
        {"blade": ("bypass", "anvil"), "hand": ("left", "right"), "length": ("18 cm", "22 cm")},
    ),
    "Hammock": (118.0, {"cloth": ("cotton", "canvas"), "persons": ("1", "2"), "colour": _COLOURS[:3]}),
    "Hiking Poles": (92.0, {"material": ("aluminium", "carbon"), "length": ("110 cm", "120 cm", "130 cm")}),
    "Kite": (37.0, {"shape": ("delta", "diamond", "box"), "colour": _COLOURS}),
    "Lunch Box": (24.0, {"material": ("steel", "bamboo"), "compartments": ("1", "2", "3")}),
    "Messenger Bag": (127.0, {"material": ("canvas", "waxed cotton"), "colour": _COLOURS}),
    "Music Stand": (63.0, {"material": ("steel", "beech"), "height": ("fixed", "telescopic")}),
    "Notebook": (
        18.0,
        {"ruling": ("plain", "lined", "dotted"), "cover": ("soft", "hard"), "size": ("A5", "A4")},
    ),
    "Picnic Blanket": (54.0, {"size": ("2 persons", "4 persons"), "colour": _COLOURS}),
    "Plant Pot": (29.0, {"material": ("clay", "stoneware"), "diameter": ("12 cm", "18 cm", "24 cm")}),
    "Rain Jacket": (168.0, {"size": _SIZES, "colour": _COLOURS}),
    "Reading Chair": (
        540.0,
        {"cover": ("wool", "leather"), "wood": ("oak", "walnut"), "arms": ("with", "without")},
    ),
    "Record Player": (
        389.0,
        {"drive": ("belt", "direct"), "finish": ("oak", "black"), "output": ("line", "phono")},
    ),
    "Rucksack": (143.0, {"volume": ("18 l", "28 l", "40 l"), "colour": _COLOURS}),
    "Sauce Pot": (74.0, {"volume": ("1.5 l", "2 l", "3 l"), "base": ("steel", "copper")}),
    "Sleeping Bag": (
        189.0,
        {"comfort": ("-5 C", "0 C", "10 C"), "filling": ("down", "fibre"), "zip": ("left", "right")},
    ),
    "Table Clock": (66.0, {"dial": ("white", "black"), "case": ("brass", "oak", "steel")}),
    "Tea Kettle": (79.0, {"volume": ("1 l", "1.7 l"), "stove": ("gas", "induction"), "colour": _COLOURS[:3]}),
    "Tool Chest": (158.0, {"pieces": ("42", "86", "120"), "case": ("metal", "fabric")}),
    "Umbrella": (45.0, {"length": ("folding", "long"), "colour": _COLOURS}),
    "Wall Map": (52.0, {"region": ("world", "Europe", "Asia"), "mount": ("paper", "canvas")}),
    "Wool Blanket": (124.0, {"size": ("throw", "single", "double"), "colour": _COLOURS}),
    "Wool Jumper": (109.0, {"size": _SIZES, "colour": _COLOURS}),
    "Work Boots": (176.0, {"size": ("38", "40", "42", "44"), "sole": ("rubber", "nitrile")}),
}
"""Price around which the variants lie, in dollars, and the options, by product name."""
