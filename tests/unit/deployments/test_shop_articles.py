"""The shop's help articles: in both languages, short, and true to the shop."""

import re
from importlib.resources import files

import pytest

from proctor.deployments.support.shop import make_sample

ARTICLES = {
    entry.name: entry.read_text(encoding="utf-8")
    for entry in files("proctor.deployments.support").joinpath("articles").iterdir()
    if entry.name.endswith(".md")
}
TOPICS = sorted(name.removesuffix(".en.md") for name in ARTICLES if name.endswith(".en.md"))


def test_every_article_is_there_in_english_and_chinese():
    assert len(TOPICS) >= 24
    assert sorted(ARTICLES) == sorted(
        f"{topic}.{language}.md" for topic in TOPICS for language in ("en", "zh")
    )


@pytest.mark.parametrize("topic", TOPICS)
def test_an_article_has_a_title_and_is_short(topic):
    for language in ("en", "zh"):
        title, _, body = ARTICLES[f"{topic}.{language}.md"].partition("\n")
        assert re.fullmatch(r"# \S.*", title)
        assert "\n# " not in body
    assert 60 <= len(ARTICLES[f"{topic}.en.md"].split("\n", 1)[1].split()) <= 160
    assert len(re.findall(r"[\u4e00-\u9fff]", ARTICLES[f"{topic}.zh.md"])) >= 60


@pytest.mark.parametrize("topic", TOPICS)
def test_both_languages_state_the_same_figures(topic):
    english, chinese = (
        set(re.findall(r"\d+(?:\.\d+)?", ARTICLES[f"{topic}.{language}.md"])) for language in ("en", "zh")
    )
    # "at any hour" and "twelve digits" are figures in Chinese only.
    assert english <= chinese
    assert chinese - english <= {"12", "24"}


def test_the_catalogue_names_every_product_of_the_sample_shop():
    catalogue = ARTICLES["catalogue.en.md"].lower()
    names = [product["name"].lower() for product in make_sample()["products"].values()]
    assert [name for name in names if name not in catalogue] == []
    assert f"{len(names)} types" in catalogue
