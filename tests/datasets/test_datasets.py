"""The registry: local files by hash, fetching from a loopback server, honest errors, nothing
third-party inside.
"""

import hashlib
import http.server
import threading
import time

import numpy as np
import pytest

import jaxscale as jsl
from jaxscale.datasets import _curves, _load, _read
from jaxscale.datasets._registry import REGISTRY


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "rows", "n"),
    [
        ("hoffmann2022", "default", 240),
        ("hoffmann2022", "all", 245),
        ("datablations", "default", 182),
        ("datablations", "all", 296),
        ("isoflops_multi", "default", 750),
        ("isoflops_multi", "all", 947),
        ("routed_moe", "default", 163),
        ("routed_moe", "sbase", 58),
        ("routed_moe", "rlr", 59),
        ("routed_moe", "hash", 56),
        ("routed_moe", "dense", 5),
        ("routed_moe", "all", 5791),
        ("vocab", "default", 1054),
        ("vocab", "tokens", 1054),
        ("vocab", "all", 1200),
        ("regmix", "default", 512),
        ("regmix", "test_1m", 256),
        ("regmix", "test_60m", 256),
        ("regmix", "test_1b", 64),
        ("mixinglaws", "default", 130),
        ("mixinglaws", "prose", 26),
        ("mixinglaws", "two_domains", 220),
        ("mixinglaws", "three_domains", 3227),
        ("mixinglaws", "five_domains", 31262),
        ("mixinglaws", "redpajama", 25542),
        ("steplaw", "default", 129),
        ("steplaw", "batch", 129),
        ("steplaw", "argmin", 17),
        ("steplaw", "batch_argmin", 17),
        ("steplaw", "all", 1911),
        ("steplaw", "moe", 708),
        ("loss_to_loss", "default", 529),
        ("loss_to_loss", "c4", 529),
        ("loss_to_loss", "pairs", 495),
        ("loss_to_loss", "extrapolation", 6),
        ("cerebras_pythia", "default", 30),
        ("cerebras_pythia", "scores", 210),
        ("monkeys_coverage", "default", 896),
        ("monkeys_coverage", "mean", 707),
        ("monkeys_coverage", "jailbreak", 1113),
        ("observational", "default", 1144),
        ("observational", "sized", 955),
        ("observational", "emergent", 489),
        ("sloth", "default", 894),
        ("sloth", "second", 630),
        ("multipowerlaw", "default", 1339),
        ("bnsl_addition", "default", 14),
        ("bnsl_addition", "all", 17),
        ("learning_curves_nmt", "default", 48),
        ("learning_curves_nmt", "all", 53),
    ],
)
def test_tables_have_the_rows_they_should(name, rows, n):
    assert len(jsl.datasets.load(name, rows=rows)) == n


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "rows", "chosen", "value"),
    [  # a cell as the file has it: one column, where others have these values
        ("hoffmann2022", "all", {"C": 1.0140094329607288e21}, ("N", 12568994539.217415)),
        ("datablations", "default", {"N": 2.81e9, "D": 3.2e10, "U": 4e9}, ("val_loss", 2.722962)),
        ("isoflops_multi", "all", {"N": 6795600349.0}, ("loss", 5.005581996196243)),
        ("routed_moe", "dense", {"N": 1308819456.0}, ("loss", 2.2420146818345645)),
        ("vocab", "all", {"V": 4096.0, "C": 1.271517696e16}, ("Lu", -1.3494449853897095)),
        ("regmix", "test_1b", {"loss_arxiv": 1.772475243}, ("loss", 2.932116032)),
        ("mixinglaws", "five_domains", {"loss": 1.672847608805668}, ("step", 9000)),
        (
            "steplaw",
            "all",
            {"D": 1e11, "eta": 0.0003453, "B": 736 * 2048},
            ("loss", 2.3976109618296744),
        ),
        ("steplaw", "moe", {"loss": 2.680629944853511}, ("N_active", 187973632)),
        (
            "loss_to_loss",
            "extrapolation",
            {"loss": 2.1262636184692383},
            ("loss_c4", 2.649285078048706),
        ),
        ("monkeys_coverage", "mean", {"k": 10_000.0, "coverage": 0.265625}, ("k", 10_000.0)),
        ("cerebras_pythia", "default", {"C": 2.3e22}, ("loss", 1.572)),
        ("cerebras_pythia", "scores", {"L": 1.519, "score": 0.72}, ("L", 1.519)),
        ("observational", "sized", {"score": 0.6983208921288624}, ("C", 8.4e23)),
        ("sloth", "default", {"score": 0.2659250919932785}, ("chance", 0.2303)),
        ("multipowerlaw", "default", {"N": 25e6, "step": 23_920}, ("loss", 3.3044)),
        ("bnsl_addition", "plus_one", {"x": 608}, ("loss", 2.70891537)),
        ("learning_curves_nmt", "all", {"loss": 0.30665264615384613}, ("x", 5.12e8)),
    ],
)
def test_known_values(name, rows, chosen, value):
    runs = jsl.datasets.load(name, rows=rows)
    column, number = value
    found = runs[column][
        np.all([np.isclose(runs[c], v, rtol=1e-9) for c, v in chosen.items()], axis=0)
    ]
    np.testing.assert_allclose(found, [number])


@pytest.mark.real
def test_logged_learning_rates_are_those_of_the_schedules():
    for size, curve in _curves._LUO_CURVES["all"]:
        path = _load._path(
            "multipowerlaw", REGISTRY["multipowerlaw"], _curves._luo_file(size, curve)
        )
        step, lr = _read.numbers(path, "step", "lr")
        np.testing.assert_allclose(_curves._luo_rates(curve)[step.astype(int)], lr, rtol=1e-12)


@pytest.mark.real
def test_the_two_counts_of_tokens_in_vocab():
    """C = 6 (N + V d) D holds for tokens; the authors' fit takes about three times as many."""
    tokens, fitted = (jsl.datasets.load("vocab", rows=rows) for rows in ("tokens", "default"))
    np.testing.assert_allclose(
        tokens["C"], 6 * (tokens["N"] + tokens["V"] * tokens["d"]) * tokens["D"], rtol=1e-9
    )
    assert np.all((fitted["D"] > 2.6 * tokens["D"]) & (fitted["D"] < 3.1 * tokens["D"]))
    assert tokens.clusters == "run"
    assert len(tokens.labels["run"]) == 60


@pytest.mark.real
def test_routers_share_the_dense_models():
    runs = jsl.datasets.load("routed_moe", rows="hash")
    np.testing.assert_array_equal(runs["router"] == "Dense", runs["E"] == 1)
    assert jsl.datasets.load("routed_moe", rows="all").clusters == "run"


@pytest.mark.real
def test_shares_of_mixtures():
    for rows in ("default", "test_1b"):
        runs = jsl.datasets.load("regmix", rows=rows)
        assert runs["r"].shape[1] == 17
        # 17 shares, each rounded to 3 decimals
        np.testing.assert_allclose(runs["r"].sum(1), 1, atol=0.0051)
    runs = jsl.datasets.load("mixinglaws")
    np.testing.assert_allclose(runs["r"].sum(1), 1)
    assert runs.clusters == "run"
    assert len(runs.labels["run"]) == 26


@pytest.mark.real
@pytest.mark.parametrize(
    ("pair", "floors", "kappa", "K"),
    # floors of the offset laws in tests/fitting/certified/loss_to_loss.json, kappa and K as
    # published
    [
        ("fineweb to fineweb-edu", (2.1700144749, 1.9669043143), 0.99937, 0.98577),
        ("fineweb to starcoder", (2.1700144749, 0.8452475282), 1.09041, 0.62303),
    ],
)
def test_pairs_of_runs_give_the_published_translations(pair, floors, kappa, K):
    runs = jsl.datasets.load("loss_to_loss", rows="pairs")
    runs = runs.where(runs["pair"] == pair)
    slope, constant = np.polyfit(
        np.log(runs["L0"] - floors[0]), np.log(runs["loss"] - floors[1]), 1
    )
    np.testing.assert_allclose([slope, np.exp(constant)], [kappa, K], atol=6e-6)


@pytest.mark.real
def test_missing_scores_are_said():
    assert "21 of HumanEval" in jsl.datasets.load("observational").remarks[0]
    sized = jsl.datasets.load("observational", rows="sized")
    assert any("btlm-3b" in r for r in sized.remarks)  # with 627 trillion tokens in the file
    assert sized["tokens"].max() < 1e14


@pytest.mark.real
def test_misfitting_knows_its_runs():
    with pytest.warns(jsl.JaxscaleWarning, match="exact copies"):
        runs = jsl.datasets.load("misfitting", rows="all")
    assert len(runs) == 4852
    assert runs.clusters == "run"
    assert len(runs.labels["run"]) == 240


@pytest.mark.real
def test_derived_tokens_are_said():
    runs = jsl.datasets.load("hoffmann2022")
    np.testing.assert_allclose(runs["D"], runs["C"] / (6 * runs["N"]))
    assert any("D = C / (6 N)" in r for r in runs.remarks)


def test_embedded_tables():
    assert len(jsl.datasets.load("simulated")) == 60
    runs = jsl.datasets.load("public_models")
    assert len(runs) == 30
    assert len(runs.labels["family"]) == 6
    runs = jsl.datasets.load("vlm_tokens")
    assert len(runs) == 28
    np.testing.assert_allclose(runs["error"][(runs["N"] == 7e9) & (runs["T"] == 576)], 1 - 0.5354)
    runs = jsl.datasets.load("tissue2024")
    assert len(runs) == 40
    assert runs.clusters == "run"
    constant = runs.where(runs["run"] == "constant")
    # the warm-up counted at the peak
    np.testing.assert_allclose(constant["S1"], 2e-4 * (constant["step"] + 1))
    assert not np.any(constant["S2"])
    assert len(jsl.datasets.load("mu_scaling")) == 7
    assert jsl.datasets.load("mu_scaling", rows="all")["loss"][-1] == 3.0425
    assert jsl.datasets.load("rectified")["D_f"][-1] == 1_638_400


def test_every_entry_says_where_it_comes_from():
    for name, entry in REGISTRY.items():
        text = jsl.datasets.describe(name)
        assert all(part in text for part in ("source:", "licence:", "published:"))
        assert set(entry.url) <= set(entry.sha256)
        assert all("/main/" not in url and "/master/" not in url for url in entry.url.values()), (
            "a branch is no fixed commit"
        )


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="Did you mean 'hoffmann2022'"):
        jsl.datasets.load("hoffman2022")
    with pytest.raises(ValueError, match="There is: all, default"):
        jsl.datasets.load("misfitting", rows="last")


def test_local_only_and_altered_files(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXSCALE_DATA_DIR", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"local only.*JAXSCALE_DATA_DIR"):
        jsl.datasets.load("datablations")
    (tmp_path / "datablations").mkdir()
    (tmp_path / "datablations" / "datablations_fit182.csv").write_text("params,tokens\n1,2\n")
    with pytest.raises(OSError, match="not the registered file"):
        jsl.datasets.load("datablations")


TABLE = (
    "Model Size,Training FLOP,loss\n"
    + "\n".join(
        f"{n},{c},{2 + 0.1 * i}" for i, (n, c) in enumerate([(1e8, 1e19)] * 3 + [(2e8, 1e20)] * 5)
    )
    + "\n"
)


@pytest.fixture
def served(tmp_path, monkeypatch):
    """One file on a loopback server, registered with its hash; counts requests."""
    hits = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            hits.append(self.path)
            body = TABLE.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.delenv("JAXSCALE_DATA_DIR", raising=False)
    monkeypatch.setenv("JAXSCALE_CACHE_DIR", str(tmp_path / "cache"))
    file = "chinchilla_epoch/svg_extracted_data.csv"
    entry = REGISTRY["hoffmann2022"]
    monkeypatch.setitem(entry.url, file, f"http://127.0.0.1:{server.server_port}/data.csv")
    monkeypatch.setitem(entry.sha256, file, hashlib.sha256(TABLE.encode()).hexdigest())
    yield hits, entry, file
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.filterwarnings("ignore:.*exact copies")
def test_fetched_once_then_cached(served):
    hits, _, _ = served
    assert len(jsl.datasets.load("hoffmann2022", rows="all")) == 8
    assert len(jsl.datasets.load("hoffmann2022", rows="all")) == 8
    assert len(hits) == 1


def test_a_wrong_hash_is_refused(served, monkeypatch):
    _, entry, file = served
    monkeypatch.setitem(entry.sha256, file, "0" * 64)
    with pytest.raises(FileNotFoundError, match="could not be fetched"):
        jsl.datasets.load("hoffmann2022")


def test_a_closed_network_fails_within_three_seconds(served, monkeypatch):
    _, entry, file = served
    monkeypatch.setitem(entry.url, file, "http://127.0.0.1:9/data.csv")  # nothing listens there
    begin = time.perf_counter()
    with pytest.raises(FileNotFoundError, match="JAXSCALE_DATA_DIR"):
        jsl.datasets.load("hoffmann2022")
    assert time.perf_counter() - begin < 3
    assert _load._CONNECT < 1
