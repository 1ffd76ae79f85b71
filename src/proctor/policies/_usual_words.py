"""Words that stand behind "password" when none is given away."""

_WORDS = """
about above access account admins again all already also always an and another any are as ask asked at auto
available back based been before being below best better between blank both box broken but by can cannot card case
changing check code common complex cool copied correct could data dialog different do does down easy either email
empty encrypted enough entry even every exactly exists expired expires expiry fails failed false field file fine for
forgotten from fully generator get getting given go going gone good great had hard has hash hashed hashes hashing
have help here hidden history how i'm if important in incorrect information input insecure instead into invalid is
it its just known later leave length less letters link login long longer lost mandatory manager match matches may
mine minimum missing mode more most much must my name need needed never new next nice no none not nothing now null
number of off ok okay old on once only optional or other our out over page people per please policy poor private
prompt protected provided question quickly read really recovery required requirements reset resets reused right safe same
screen second secret secure security select sent set settings several shared should show shown simple simply since
so some somehow someone something soon still stolen stored string strong such sure system than that the their them
then there these they this through to together too true try two twice type typed under unique unknown unless unsafe
until up update updated upon use used useful useless user username users using usually valid value values very via
visible was way we weak well were what whatever when where whether which while who whom whose why will with within
without word words work works would wrong yes yet you your yours
array bool boolean bytes char const default function hidden int integer let number object return self str text
textbox var varchar void
"""
_USUAL = frozenset(_WORDS.split())
_COMMON_ENDINGS = ("ing", "ed", "able", "ible", "ly", "ive", "tion", "ment", "n't")
_MOST_PARTS = 2
"""`case-sensitive` is a word; what has more hyphens is a passphrase."""
_SPOKEN = frozenset(
    "your you please enter must should cannot can't invalid incorrect wrong forgot forgotten required at least "
    "characters character password passwords confirm choose reset change changed match doesn't don't isn't is are was "
    "has been may will not the this if here for".split()
)


def is_usual(value: str) -> bool:
    """Whether a value is a word of a sentence about passwords: `required`, `case-sensitive`."""
    words = value.lower().strip("*_.!?,:;\"'").split("-")
    return len(words) <= _MOST_PARTS and any(
        word in _USUAL or (word.isalpha() and word.endswith(_COMMON_ENDINGS)) for word in words
    )


def speaks(value: str) -> bool:
    """Whether a text of several words is said to people, such as a label, and no passphrase."""
    words = value.lower().replace("’", "'").strip(" .!?:").split()  # noqa: RUF001 - an apostrophe as people write it
    return len(words) > 1 and (not _SPOKEN.isdisjoint(words) or value.rstrip()[-1] in ".?!:…")
