"""Documents are read whole, and held-out parts never reach a shard that is trained on."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from tutelage.bases.mixture import build
from tutelage.bases.sources import Document, documents, held_out
from tutelage.bases.vocabulary import learn


def put(data: Path, path: str, rows: list[dict[str, Any]]) -> None:
    (data / path).parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (data / path).write_bytes(gzip.compress(lines.encode("utf-8")))


def texts(component: str, data: Path) -> list[str]:
    return [document.text for document in documents(component, data, 7)]


def test_the_dev_part_of_the_dialogues_is_never_read(tmp_path: Path) -> None:
    rows = [
        {"id": "train-1_0", "text": "User: Hi\nAssistant: Hello: you"},
        {"id": "dev-1_0", "text": "User: secret\nAssistant: no"},
    ]
    put(tmp_path, "pretrain/dialogues_sgd.jsonl.gz", rows)
    assert texts("sgd", tmp_path) == ["User: Hi\nAssistant: Hello: you"]
    assert texts("sgd_chat", tmp_path) == [
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello: you<|im_end|>\n"
    ]


def test_a_dialogue_stands_on_one_side_in_every_component(tmp_path: Path) -> None:
    ids = [f"train-1_{number}" for number in range(400)]
    put(
        tmp_path,
        "pretrain/dialogues_sgd.jsonl.gz",
        [{"id": one, "text": "User: a\nAssistant: b"} for one in ids],
    )
    history = [{"role": "user", "content": "go"}]
    output = '{"name": "F", "arguments": {}}'
    put(
        tmp_path,
        "sgd_calls/train.jsonl.gz",
        [{"id": f"{one}-3", "history": history, "output": output} for one in ids],
    )
    sides = [
        {document.key for document in documents(component, tmp_path, 7) if held_out(document)}
        for component in ("sgd", "sgd_chat", "calls")
    ]
    assert sides[0]
    assert sides[0] == sides[1] == sides[2]


def test_the_held_out_share_follows_the_hash_of_the_key() -> None:
    def share(of: float) -> float:
        sides = [held_out(Document(text="", key=str(n), share=of)) for n in range(5000)]
        return sum(sides) / len(sides)

    assert share(0.0) == 0.0
    assert abs(share(0.1) - 0.1) < 0.015
    assert share(1.0) == 1.0


def test_rows_that_rest_on_a_missing_passage_are_left_out(tmp_path: Path) -> None:
    rows = [
        {"instruction": "Name a fish", "response": " Tope ", "context_missing": False},
        {"instruction": "Sum it up", "response": "It", "context_missing": True},
    ]
    put(tmp_path, "dolly_6k/dolly_first6400.jsonl.gz", rows)
    assert texts("dolly", tmp_path) == [
        "<|im_start|>user\nName a fish<|im_end|>\n<|im_start|>assistant\nTope<|im_end|>\n"
    ]


def test_calls_and_responses_of_an_order_become_turns(tmp_path: Path) -> None:
    notes = [
        {"name": "api_call", "value": "get_menu"},
        {"name": "request", "value": '{"query":"Latte"}'},
        {"name": "response", "value": "[1,2]"},
    ]
    row = {"utterances": [{"speaker": "user", "text": "a latte", "annotations": notes}]}
    put(tmp_path, "taskmaster4/tm4.jsonl.gz", [row])
    assert texts("taskmaster", tmp_path) == [
        "<|im_start|>user\na latte<|im_end|>\n"
        '<|im_start|>assistant\n{"name": "get_menu", "arguments": {"query": "Latte"}}<|im_end|>\n'
        "<|im_start|>tool\n[1, 2]<|im_end|>\n"
    ]


def test_scars_of_a_wrong_encoding_are_mended(tmp_path: Path) -> None:
    row = {"question": "Whoâ€™s first?", "choices": ["Adam", "Zoë"], "answer": 0}
    put(tmp_path, "opentrivia/opentrivia.jsonl.gz", [row])
    (text,) = texts("trivia", tmp_path)
    assert "Who’s first?" in text
    assert "â" not in text


def test_no_held_out_document_reaches_a_shard(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    rows = [{"id": f"t{n}", "text": f"chat number {n}."} for n in range(300)]
    put(data, "pretrain/dialogues_topical_chat.jsonl.gz", rows)
    tokenizer: Tokenizer = learn([row["text"] for row in rows], size=300)
    build(data, tokenizer, out, ["topical"], 7)
    apart = {d.text for d in documents("topical", data, 7) if held_out(d)}

    def decoded(path: Path) -> list[str]:
        ids = np.fromfile(path, dtype=np.uint16).tolist()
        whole: str = tokenizer.decode(ids, skip_special_tokens=False)
        return whole.removesuffix("<|endoftext|>").split("<|endoftext|>")

    assert apart
    assert set(decoded(out / "heldout" / "topical.bin")) == apart
    assert set(decoded(out / "topical.bin")) == {row["text"] for row in rows} - apart
    entry = json.loads((out / "mixture.json").read_text())["components"]["topical"]
    assert entry["counts"]["documents"] + entry["heldout"]["documents"] == 300
    assert entry["counts"]["tokens"] == len(np.fromfile(out / "topical.bin", dtype=np.uint16))
    assert entry["sources"][0]["licence"] == "CDLA-Sharing-1.0"
