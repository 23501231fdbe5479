from manyheads.core.values import Places
from manyheads.datasets.squad import Squad
from manyheads.datasets.squad_v2 import SquadV2

LEAKING = [
    "1973_oil_crisis",
    "Black_Death",
    "Construction",
    "Ctenophora",
    "European_Union_law",
    "Force",
    "French_and_Indian_War",
    "Fresno,_California",
    "Geology",
    "Harvard_University",
    "Huguenot",
    "Imperialism",
    "Islamism",
    "Jacksonville,_Florida",
    "Normans",
    "Packet_switching",
    "Prime_number",
    "Private_school",
    "Rhine",
    "Scottish_Parliament",
    "Southern_California",
    "Steam_engine",
    "University_of_Chicago",
    "Warsaw",
]


def test_mirror_with_unanswerable_questions(hub):
    dataset = SquadV2(Places(hub, hub))
    for split, rows, answerable in (("train", 12_807, 8_277), ("validation", 3_785, 2_022)):
        table = dataset.read(split)
        assert len(table.rows) == rows and table.labelled and not table.warnings
        assert sum(bool(answers["text"]) for answers in table.rows["answers"][:]) == answerable


def test_all_gold_answers_are_kept(hub):
    answers = SquadV2(Places(hub, hub)).read("validation").rows["answers"][:]
    assert sum(len(answer["text"]) for answer in answers) == 6_884


def test_excluding_titles_takes_the_leak_into_squad_away(hub):
    places = Places(hub, hub)
    passages = set(Squad(places).read("validation").rows["cluster"][:])
    leaky, clean = SquadV2(places).read("train"), SquadV2(places, exclude_titles=LEAKING).read("train")
    # 829 passages of squad validation stand in train, says the card; their 8,088 questions go with them.
    assert len(passages & set(leaky.rows["cluster"][:])) == 829
    assert not passages & set(clean.rows["cluster"][:])
    assert clean.dropped == {"title excluded": 8_088} and not clean.warnings
