"""Six tokenizers of real models, read from the files they were published in."""

from __future__ import annotations

import functools
import gzip
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
)

GOLDEN = Path(__file__).parent.parent / "golden" / "tokenizers"
NAMES = ("gpt-2", "gpt-neox", "phi-3", "bge", "mistral-v1", "mistral-v3")
MARK = "\u2581"  # SentencePiece's for a space
CONTROL, USER_DEFINED, UNKNOWN = 3, 4, 2  # kinds of pieces, in GGUF and SentencePiece alike
WHOLE = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
SEPARATOR = "\n__ggml_vocab_test__\n"
Pieces = list[tuple[str, float, int]]


def tokenizer_of(name: str) -> Any:
    """A tokenizer of one's own: tests add tokens to it."""
    return Tokenizer.from_str(_form(name))


def vectors(name: str) -> list[tuple[str, list[int]]]:
    """Texts and the ids that are published for them."""
    texts = (GOLDEN / "texts.inp").read_text(encoding="utf-8").split(SEPARATOR)[:-1]
    lines = (GOLDEN / f"{name}.out").read_text(encoding="utf-8").splitlines()
    return [
        (text, [int(one) for one in line.split()]) for text, line in zip(texts, lines, strict=True)
    ]


def read_gguf(data: bytes) -> dict[str, Any]:
    """The keys and values of a GGUF file. Source: the GGUF specification, version 3."""
    _, _, _, count = struct.unpack_from("<4sIQQ", data)
    at, found = 24, {}
    for _ in range(count):
        key, at = _text(data, at)
        (kind,) = struct.unpack_from("<I", data, at)
        found[key], at = _value(data, at + 4, kind)
    return found


def read_pieces(data: bytes) -> Pieces:
    """The pieces of a SentencePiece model: text, score and kind of each."""
    pieces = []
    for field, piece in _fields(data):
        if field == 1 and isinstance(piece, bytes):
            parts = dict(_fields(piece))
            text, score = parts[1], parts.get(2, b"\0\0\0\0")
            assert isinstance(text, bytes)
            assert isinstance(score, bytes)
            kind = parts.get(3, 1)
            assert isinstance(kind, int)
            pieces.append((text.decode(), float(struct.unpack("<f", score)[0]), kind))
    return pieces


@functools.cache
def _form(name: str) -> str:
    if name == "gpt-2":
        made = _gpt2()
    elif name == "gpt-neox":
        made = Tokenizer.from_str(_unpacked("gpt_neox_20b_tokenizer.json.gz").decode())
    elif name == "bge":
        made = _word_pieces(read_gguf(_unpacked("bge.gguf.gz"))["tokenizer.ggml.tokens"])
    elif name == "phi-3":
        keys = read_gguf(_unpacked("phi-3.gguf.gz"))
        listed = (keys[f"tokenizer.ggml.{one}"] for one in ("tokens", "scores", "token_type"))
        made = _sentence_pieces(list(zip(*listed, strict=True)))
    else:
        made = _sentence_pieces(read_pieces(_unpacked(f"{name}.model.gz")))
    return str(made.to_str())


def _gpt2() -> Any:
    import json

    vocabulary = json.loads(_unpacked("gpt2_vocab.json.gz"))
    lines = _unpacked("gpt2_merges.txt.gz").decode().splitlines()
    merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken("<|endoftext|>", normalized=False)])
    return made


def _sentence_pieces(pieces: Pieces) -> Any:
    ids = {text: at for at, (text, _, _) in enumerate(pieces)}
    ranked = sorted(
        ((-score, ids[text], text) for text, score, kind in pieces if kind == 1 and len(text) > 1)
    )
    merges = []
    for _, _, text in ranked:
        pairs = [(text[:at], text[at:]) for at in range(1, len(text))]
        known = [pair for pair in pairs if pair[0] in ids and pair[1] in ids]
        merges += sorted(known, key=lambda pair: (ids[pair[0]], ids[pair[1]]))
    model = models.BPE(
        vocab=ids, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True
    )
    made = Tokenizer(model)
    made.normalizer = normalizers.Sequence(
        [normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)]
    )
    made.decoder = decoders.Sequence(
        [
            decoders.Replace(MARK, " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    special = [text for text, _, kind in pieces if kind in (CONTROL, UNKNOWN)]
    made.add_special_tokens([AddedToken(text, normalized=False) for text in special])
    words = [text for text, _, kind in pieces if kind == USER_DEFINED]
    made.add_tokens([AddedToken(text, normalized=False) for text in words])
    return made


def _word_pieces(tokens: list[str]) -> Any:
    vocabulary = {}
    for at, token in enumerate(tokens):
        special = token.startswith("[") and token.endswith("]") and len(token) > 2
        piece = token if special else "##" + token
        vocabulary[token[1:] if token.startswith(MARK) else piece] = at
    made = Tokenizer(models.WordPiece(vocab=vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    special_ones = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    made.add_special_tokens([AddedToken(one, normalized=False) for one in special_ones])
    return made


def _unpacked(name: str) -> bytes:
    return gzip.decompress((GOLDEN / name).read_bytes())


def _text(data: bytes, at: int) -> tuple[str, int]:
    (size,) = struct.unpack_from("<Q", data, at)
    return data[at + 8 : at + 8 + size].decode(), at + 8 + size


def _value(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind == 8:
        return _text(data, at)
    if kind != 9:
        layout = "<" + WHOLE[kind]
        return struct.unpack_from(layout, data, at)[0], at + struct.calcsize(layout)
    inner, count = struct.unpack_from("<IQ", data, at)
    values, at = [], at + 12
    for _ in range(count):
        value, at = _value(data, at, inner)
        values.append(value)
    return values, at


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message: numbers as int, all else as bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            number, at = _varint(data, at)
            yield tag >> 3, number
            continue
        if kind == 2:
            size, at = _varint(data, at)
        else:
            size = {1: 8, 5: 4}[kind]
        yield tag >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at
