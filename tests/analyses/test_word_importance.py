"""The scores by hand and under what changes no answer; correlations against scipy; words that are known to matter."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import study_of
from planted_words import Models, planted, trained
from scipy.sparse import csr_matrix
from scipy.stats import kendalltau, spearmanr

from manyheads.analyses import DataTable, FinishedRun
from manyheads.analyses._agreement import across, concordance, kendall, permuted, same_start, spearman, within
from manyheads.analyses._piece_gradients import frequencies, of_words, piece_gradients
from manyheads.analyses._sequences import flat, sample
from manyheads.analyses._word_importance_checks import problems
from manyheads.analyses._word_scores import Network, gradients, path, paths, sums
from manyheads.analyses.word_importance import WordImportance
from manyheads.core.values import Places, Table
from manyheads.data.batches import encoded
from manyheads.report.drawing import Figure
from manyheads.runner.analysis_sections import section_entry
from manyheads.training.model import MultiTaskModel, build_model

# ---- the scores ------------------------------------------------------------------------------------------------------

WEIGHTS = np.array([[1.0, -2.0], [3.0, 0.5]])
SMALL = Network(WEIGHTS, np.array([0.5, -1.0]), np.array([[0.25, 1.0], [1.25, -1.0]]), np.array([0.5, -0.25]))
TEXTS = csr_matrix(np.array([[1, 0], [0, 1], [1, 1], [0, 0]], float))


def turned(network: Network, unit: int) -> Network:
    """The same function with a unit's signs changed: f(z) = 1 - f(-z) of a sigmoid, -f(-z) of a tanh."""
    signs = np.ones(network.weights.shape[1])
    signs[unit] = -1
    moved = network.outputs[:, unit] if network.activation == "sigmoid" else 0
    return replace(
        network, weights=network.weights * signs, bias=network.bias * signs, outputs=network.outputs * signs,
        output_bias=network.output_bias + moved,
    )  # fmt: skip


def test_scores_by_hand():
    assert sums(WEIGHTS).tolist() == [-1.0, 3.5]
    # The second class less the first: output weights 1 and -2, so 1 + 4 and 3 - 1.
    assert path(SMALL).tolist() == [5.0, 2.0]
    assert paths(SMALL).tolist() == [[-2.5, 2.5], [-1.0, 1.0]]


def test_gradient_times_input_by_hand_and_by_autograd():
    slopes = {}
    for row, text in enumerate(TEXTS.toarray()):
        units = 1 / (1 + np.exp(-(text @ WEIGHTS + SMALL.bias)))
        slopes[row] = units * (1 - units) * [1.0, -2.0] @ WEIGHTS.T * text
    found = gradients(SMALL, TEXTS)
    assert found.signed == pytest.approx([(slopes[0][0] + slopes[2][0]) / 2, (slopes[1][1] + slopes[2][1]) / 2])
    texts = torch.tensor(TEXTS.toarray(), requires_grad=True)
    weights, bias, outputs, start = map(torch.from_numpy, (WEIGHTS, SMALL.bias, SMALL.outputs, SMALL.output_bias))
    logits = torch.sigmoid(texts @ weights + bias) @ outputs.T + start
    slope = torch.autograd.grad((logits[:, 1] - logits[:, 0]).sum(), texts)[0]
    sizes = (slope * texts).abs().detach().numpy()
    assert found.size == pytest.approx(sizes.sum(0) / 2) and found.texts.tolist() == [2, 2]
    assert SMALL.logits(TEXTS.toarray()) == pytest.approx(logits.detach().numpy())


def test_a_turned_unit_changes_the_blog_s_score_and_nothing_else():
    other = turned(SMALL, 1)
    assert sums(other.weights).tolist() == [3.0, 2.5]
    assert np.argmax(sums(SMALL.weights)) == 1 and np.argmax(sums(other.weights)) == 0  # even the order
    assert np.diff(other.logits(TEXTS)) == pytest.approx(np.diff(SMALL.logits(TEXTS)))
    assert path(other).tolist() == path(SMALL).tolist()
    for before, after in zip(vars(gradients(SMALL, TEXTS)).values(), vars(gradients(other, TEXTS)).values()):  # noqa: B905
        assert after == pytest.approx(before)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["sigmoid", "tanh"]), st.integers(2, 4))
def test_what_changes_no_answer_changes_no_identifiable_score(seed, activation, classes):
    rng = np.random.default_rng(seed)
    network = Network(*(rng.normal(size=size) for size in ((7, 5), 5, (classes, 5), classes)), activation)
    texts = csr_matrix(rng.integers(0, 3, (9, 7)).astype(float))
    order = rng.permutation(5)
    mixed = replace(
        network, weights=network.weights[:, order], bias=network.bias[order], outputs=network.outputs[:, order]
    )
    same = [turned(network, int(rng.integers(5))), mixed, replace(network, outputs=network.outputs + rng.normal())]
    for other in same[:2]:
        assert other.logits(texts) == pytest.approx(network.logits(texts))
    for other in same:
        assert path(other) == pytest.approx(path(network))
        assert gradients(other, texts).size == pytest.approx(gradients(network, texts).size, nan_ok=True)
    assert sums(mixed.weights) == pytest.approx(sums(network.weights))


def test_a_word_of_no_text_has_no_gradient():
    found = gradients(SMALL, csr_matrix(np.array([[1.0, 0.0]])))
    assert np.isfinite(found.size[0]) and np.isnan(found.size[1]) and found.texts.tolist() == [1, 0]


# ---- agreement -------------------------------------------------------------------------------------------------------

VALUES = st.lists(st.integers(0, 6), min_size=2, max_size=30)


@settings(max_examples=80, deadline=None)
@given(st.data(), VALUES)
def test_the_shares_of_kendall_count_every_pair(data, one):
    other = data.draw(st.lists(st.integers(0, 6), min_size=len(one), max_size=len(one)))
    x, y = np.array(one, float), np.array(other, float)
    signs = np.sign(x[:, None] - x) * np.sign(y[:, None] - y)
    assert concordance(x, y) == pytest.approx(signs.sum(1) / (len(x) - 1))


def test_correlations_against_scipy():
    rng = np.random.default_rng(1)
    pairs = []
    for _ in range(3):
        one = rng.normal(size=400)
        pairs.append((one, one + 2 * rng.normal(size=400)))
    expected = [np.mean([of(*pair).statistic for pair in pairs]) for of in (spearmanr, kendalltau)]
    found = [spearman(pairs, 500), kendall(pairs, 500)]
    assert [one.value for one in found] == pytest.approx(expected)
    for one in found:
        assert one.interval[0] < one.value < one.interval[1]
    # The interval over words of one pair is that of scipy's tau in resamples that draw and rank the words anew.
    words = np.stack(pairs[0], axis=1)
    drawn = [kendalltau(*words[rng.integers(0, 400, 400)].T) for _ in range(400)]
    low, high = kendall(pairs[:1], 1000).interval
    assert high - low == pytest.approx(2 * 1.966 * np.std([one.statistic for one in drawn]), rel=0.12)


def test_p_values_are_those_of_a_permutation_test():
    order = np.arange(6.0)
    # Of 720 orders the one as it is and its reverse agree as much: p is about 2 / 720.
    assert permuted(order, order, 999) == pytest.approx((2 / 720, 2 / 720), abs=0.006)
    rng = np.random.default_rng(2)
    low = [permuted(rng.normal(size=40), rng.normal(size=40), 99, seed)[0] <= 0.1 for seed in range(60)]
    assert 0 < np.mean(low) < 0.24  # 0.1 and 3.5 standard errors


def test_seeds_are_paired_with_others():
    one, other = ({seed: np.array([model + seed]) for seed in (1, 2, 3)} for model in (10, 20))
    pairs = lambda found: [(int(a[0]), int(b[0])) for a, b in found]  # noqa: E731
    assert pairs(across(one, other)) == [(11, 22), (12, 23), (13, 21)]
    assert pairs(within(one)) == [(11, 12), (12, 13), (13, 11)]
    assert pairs(same_start(one, other)) == [(11, 21), (12, 22), (13, 23)]
    assert pairs(within({1: one[1], 2: one[2]})) == [(11, 12)] and within({1: one[1]}) == []


# ---- models ----------------------------------------------------------------------------------------------------------

MATTER = ("w03", "w11", "w25")


def tables(section: Any) -> dict[str, DataTable]:
    return {part.name: part for part in section.parts if isinstance(part, DataTable)}


@pytest.fixture(scope="module")
def twenty() -> Models:
    """20 seeds alone on one planted task, two jointly with another whose words speak for the other class."""
    tables = {"one": planted(0, 400), "two": planted(1, 400, swapped=True)}
    models = {("alone", "one", seed): trained({"one": tables["one"]}, seed) for seed in range(20)}
    models |= {("alone", "two", seed): trained({"two": tables["two"]}, seed) for seed in range(2)}
    models |= {("joint", "", seed): trained(tables, seed) for seed in range(2)}
    return Models(models, tables)


@pytest.mark.slow
def test_the_identifiable_scores_find_the_words_that_matter_in_every_seed(twenty):
    misses = 0
    for seed in range(20):
        one = Models({("alone", "one", seed): twenty.models["alone", "one", seed]}, {"one": twenty.tables["one"]})
        found = tables(WordImportance(shown=3, permutations=99).analyse(one))
        for name in ("first-path", "first-gradient"):
            assert {row[1] for row in found[name].rows} == {"w03 (good)", "w25 (good)", "w11 (bad)"}
        misses += {row[1].split()[0] for row in found["first-sum"].rows} != set(MATTER)
    assert misses >= 10  # the blog's score does not: what speaks against a class may come last


def test_two_seeds_agree_by_the_gradient_and_the_finding_says_so(twenty):
    section = WordImportance(permutations=99).analyse(twenty)
    table = tables(section)["agreement"]
    rows = {(row[0], row[1]): row for row in table.rows}
    assert rows["gradient × input", "one, alone, two seeds"][3] > 0.5
    # What speaks for a class in one task speaks against it in the other.
    first = tables(section)["first-gradient"]
    assert first.columns == ["Rank", "one, alone", "two, alone", "one, joint", "two, joint"]
    for at in (2, 4):
        assert {row[at] for row in first.rows[:3]} == {"w03 (bad)", "w25 (bad)", "w11 (good)"}
    assert rows["path to the output", "one, alone – one, joint"][6] == 0.01  # the least of 99 permutations
    assert section.finding.startswith("On which words matter, by the sum of input weights two seeds of one model agree")
    entry, files = section_entry("word_importance", section)
    assert sum(isinstance(part, Figure) for part in section.parts) == 3
    assert len(files["analyses/word_importance/words.csv"].decode().splitlines()) == 41
    assert "half of the units turned" in entry.parts[0].text


def test_with_one_seed_there_is_no_ceiling_and_the_finding_says_so(twenty):
    few = {key: model for key, model in twenty.models.items() if key[2] == 0}
    section = WordImportance(permutations=99).analyse(Models(few, twenty.tables))
    assert any(isinstance(part, str) and "two seeds of the same model agree is not known" in part
               for part in section.parts)  # fmt: skip
    assert not any("two seeds" in row[1] for row in tables(section)["agreement"].rows)


def test_rare_words_are_left_out(twenty):
    section = WordImportance(least=401, permutations=99).analyse(twenty)
    assert "agreement" not in tables(section) and "nothing to compare" in section.finding
    assert tables(section)["words"].rows == []


def test_nothing_trained_says_so(twenty):
    section = WordImportance().analyse(Unfinished(twenty))
    assert section.finding == "Nothing can be said of the words: no run has finished." and not section.parts


class Unfinished(Models):
    """A study of which nothing has finished."""

    def __init__(self, other: Models) -> None:
        super().__init__(other.models, other.tables)

    def finished(self, arm: str = "", task: str = "") -> list[FinishedRun]:
        return []


def test_texts_are_drawn_from_the_whole_split():
    """Many splits have one class before the other."""
    drawn = sample(1000, 100)
    assert len(set(drawn)) == 100 and drawn == sorted(drawn) and 30 < sum(at < 500 for at in drawn) < 70
    assert sample(5, 0) == sample(5, 9) == [0, 1, 2, 3, 4] and sample(1000, 100) == drawn


# ---- word pieces -----------------------------------------------------------------------------------------------------


def pieces_model(tiny: Path) -> MultiTaskModel:
    head = {"name": "classification", "settings": {"max_length": 16}}
    plain = {
        "encoder": {"name": "pretrained", "settings": {"model": str(tiny)}},
        "sharing": {"name": "hard", "settings": {}},
        "tasks": {"one": {"head": head, "labels": ["bad", "good"], "columns": []}},
    }
    return build_model(plain, Places(Path()), seed=0).eval()


TEXT = ["The soup was unbelievably good, the soup!", "No."]


def test_gradients_of_word_pieces_against_finite_differences(tiny):
    """What a piece adds to the margin, to first order, is the change when its embedding shrinks a little."""
    model = pieces_model(tiny)
    table = Table(datasets.Dataset.from_list([{"id": str(at), "text": text} for at, text in enumerate(TEXT)]),
                  labelled=False)  # fmt: skip
    texts = flat(encoded(model.head("one"), table, model.tokenizer))
    found = piece_gradients(model, "one", texts)
    encoder = model.sharing.encoders()[0]

    def margin(change: Callable[[torch.Tensor], torch.Tensor]) -> float:
        hook = encoder.inner.get_input_embeddings().register_forward_hook(lambda *given: change(given[2]))
        with torch.inference_mode():
            logits = model.head("one")(model.sharing({"one": texts.tokens([0])})["one"], (1,))[0].double()
        hook.remove()
        return float(logits[1] - logits[0])

    for place in (0, 2, 5):

        def scaled(given: torch.Tensor, by: float, place: int = place) -> torch.Tensor:
            other = given.clone()
            other[:, place] *= by
            return other

        slope = (margin(lambda x, s=scaled: s(x, 1.01)) - margin(lambda x, s=scaled: s(x, 0.99))) / 0.02
        assert found[0][place] == pytest.approx(slope, rel=0.02, abs=1e-5)
    assert [len(one) for one in found] == texts.lengths.tolist()
    assert all(parameter.grad is None for parameter in model.parameters())


def test_pieces_are_summed_to_words(tiny):
    tokenizer = pieces_model(tiny).tokenizer
    pieces = tokenizer.pieces(TEXT)
    words = sorted(frequencies(TEXT))
    assert words == ["good", "no", "soup", "the", "unbelievably", "was"] and frequencies(TEXT)["soup"] == 1
    values = [np.ones(len(one.ids) + 2) for one in pieces]
    places = {word: at for at, word in enumerate(words)}
    ids, sizes = of_words(TEXT, values, tokenizer, places)
    of = dict(zip([words[at] for at in ids], sizes, strict=True))
    assert of["soup"] == 2 and of["the"] == 2 and of["no"] == 1 and of["unbelievably"] > 1
    assert len(pieces[0].ids) == sum(of.values()) - 1 + 2  # a comma and an exclamation mark belong to no word
    cut, _ = of_words(TEXT[:1], [np.ones(4)], tokenizer, places)
    assert [words[at] for at in cut] == ["the", "soup"]


def test_a_pretrained_encoder_has_the_gradient_alone(tiny):
    table = Table(datasets.Dataset.from_list(
        [{"id": str(at), "text": TEXT[at % 2], "label": ("good", "bad")[at % 2]} for at in range(6)]
    ), ("bad", "good"))  # fmt: skip
    made = Models({("alone", "one", 0): pieces_model(tiny)}, {"one": table}, name="pretrained")
    section = WordImportance(least=1, permutations=99).analyse(made)
    assert {"first-gradient", "words"} <= set(tables(section)) and "first-sum" not in tables(section)
    assert len(tables(section)["words"].rows) == 6


# ---- what does not fit -----------------------------------------------------------------------------------------------

STUDY = study_of({"alone": ["one", "two"], "other": ["two"]}, heads={"two": "span"})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"arms": ["alnoe"]}, 'Did you mean "alone"?'),
        ({"tasks": ["two"]}, 'two, whose head is "span"'),
        ({"arms": ["other"]}, "none of these arms trains a task with a classification head"),
    ],
)
def test_settings_that_do_not_fit_are_refused(given, message):
    assert message in str(problems(STUDY, given, "x")[0])
    assert problems(STUDY, {}, "x") == []


def test_pairs_of_texts_are_left_out_and_the_finding_says_so(twenty):
    rows = [{"id": "a", "text": "w01", "text_pair": "w02", "label": "bad"}]
    pair = {"one": Table(datasets.Dataset.from_list(rows), ("bad", "good"))}
    section = WordImportance().analyse(Models({("alone", "one", 0): twenty.models["alone", "one", 0]}, pair))
    assert section.finding == "Nothing can be said of the words: one: its examples are pairs of texts."
