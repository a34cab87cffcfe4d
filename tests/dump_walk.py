#!/usr/bin/env python3
"""Dumps as a stranger reads them: plain msgpack and numpy, as docs/dump-format.md says; its example runs here.

usage: dump_walk.py BUILD SOURCE. The numbers expected: the formulas of tests/dump_sample.h, written a second time."""
import csv
import ctypes
import ctypes.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
import types
import zipfile
from pathlib import Path

try:
    import msgpack
    import numpy as np
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

BUILD, SOURCE = Path(sys.argv[1]), Path(sys.argv[2])
LEVELS = ["summary", "flux", "grid", "events"]
SLOTS, STEPS, ROWS = 3, 4, 1000
MAGIC = b"\x89NESS\r\n\x1a"


def unzstd(block):
    """Decompresses with the library itself: the command zstd need not be installed."""
    lib = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
    lib.ZSTD_decompress.restype = ctypes.c_size_t
    lib.ZSTD_decompress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    lib.ZSTD_getFrameContentSize.restype = ctypes.c_ulonglong
    lib.ZSTD_getFrameContentSize.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    size = lib.ZSTD_getFrameContentSize(block, len(block))
    assert size <= 64 << 20, "the frame states its content size"
    out = ctypes.create_string_buffer(max(size, 1))
    assert lib.ZSTD_decompress(out, size, block, len(block)) == size
    return out.raw[:size]


def counts(rows, width, a, b, modulus):
    k, i = np.arange(rows)[:, None], np.arange(width)[None, :]
    return (a + b * k * (i + 1) + i) % modulus


def reals(rows, width, a):
    k, i = np.arange(rows)[:, None], np.arange(width)[None, :]
    return a + 0.125 * k + 0.3 * i


def expected(level, replica, index):
    rows = 0 if level == "summary" else ROWS
    want = {"n0": counts(1, SLOTS, replica, 0, 100), "fwd": counts(1, STEPS, replica * 1000 + index, 0, 70000),
            "bwd": counts(1, STEPS, replica * 5000000000, 0, 2**63 - 1),
            "dwell": reals(1, SLOTS, 1.0 / 3 + replica), "dwell2": reals(1, SLOTS, 2.0 / 3)}
    if level != "summary":
        want["row_time"] = (2.0 * index + 2.0 * np.arange(1, rows + 1) / rows)[:, None]
    if level == "events":
        want["row_dir"] = ((np.arange(rows) * 7 + replica) % (2 * STEPS))[:, None]
    if level in ("flux", "grid"):
        want["row_count"] = counts(rows, SLOTS, replica, 37, 70000)
    if level == "flux":
        want["row_fwd"] = counts(rows, STEPS, index, 3, 250)
        want["row_bwd"] = counts(rows, STEPS, index, 5, 60000)
        want["row_dwell"] = reals(rows, SLOTS, 0.7)
        want["row_tape_entropy"] = reals(rows, 1, -0.5)
    return want


def example():
    """The functions of the documentation's example, with zstd at hand whether the command is there or not."""
    page = (SOURCE / "docs/dump-format.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names = {}
    exec(blocks[0], names)
    if not shutil.which("zstd"):
        run = lambda command, input, stdout, check: types.SimpleNamespace(stdout=unzstd(input))
        names["subprocess"] = types.SimpleNamespace(run=run, PIPE=None)
    assert len(blocks[0].splitlines()) <= 16, "the page promises about fifteen lines"
    return names, blocks[1]


def check_header(data, offset, header, end):
    """The header by the offsets of the page, against the map that msgpack makes of it."""
    head = data[offset:offset + 58]
    assert head[7:17] == b"\xc4\x08" + MAGIC and header["magic"] == MAGIC
    assert list(header) == ["magic", "hash", "kind", "version", "length"]
    assert head[36] == header["kind"] and head[45] == header["version"] == 1
    assert int.from_bytes(head[54:58], "big") == header["length"] == end - offset - 58
    assert int.from_bytes(head[23:31], "big") == header["hash"]
    try:
        xxhash = ctypes.CDLL(ctypes.util.find_library("xxhash") or "libxxhash.so.0")
    except OSError:
        return
    xxhash.XXH3_64bits.restype = ctypes.c_uint64
    xxhash.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    body = data[offset + 31:end]
    assert xxhash.XXH3_64bits(body, len(body)) == header["hash"]


def check_blocks(columns, payload):
    """Where the page says the blocks are, and with what in them."""
    end = 0
    for name, dtype, rows, width, offset, stored, codec in columns:
        size = rows * width * np.dtype(dtype).itemsize
        assert offset == (end + 7) // 8 * 8 and payload[end:offset] == bytes(offset - end), name
        end = offset + stored
        if codec == "plain":
            assert stored == size, name
        else:
            assert codec == "zstd" and size >= 512 and stored <= size - size // 4, name
            assert len(unzstd(payload[offset:end])) == size, name
    assert end == len(payload)


def walk(path):
    """All frames with their offsets, by msgpack alone."""
    data = path.read_bytes()
    unpacker = msgpack.Unpacker(max_buffer_size=1 << 26)
    unpacker.feed(data)
    found, offset = [], 0
    for header in unpacker:
        info, payload = next(unpacker), next(unpacker)
        end = unpacker.tell()
        check_header(data, offset, header, end)
        assert isinstance(payload, bytes) and list(info)[-2:] == ["columns", "pad"]
        assert (end - len(payload) - offset) % 8 == 0 and info["pad"] == bytes(len(info["pad"]))
        check_blocks(info["columns"], payload)
        found.append((offset, info, payload))
        offset = end
    assert offset == len(data)
    return found


def check_run(info, payload, columns):
    assert info["frame"] == "run" and info["seed"] == 0xfedcba9876543210 and info["replicas"] == 3
    assert info["model"] == "sample" and info["model_text"].startswith("model sample") and "café" in info["model_text"]
    assert info["conventions"]["affinity"] == "kT" and "2*s" in info["conventions"]["directions"]
    tables = info["tables"]
    assert [slot["name"] for slot in tables["slots"]] == ['A, "first"', "S1", "S2"]
    assert tables["slots"][0]["max"] is None and tables["slots"][1]["max"] == 100000
    assert [step["name"] for step in tables["steps"]] == ["r0", "r1", "fuel", "formula"]
    assert tables["steps"][2]["changes"] == {'A, "first"': 1, "S1": -1}
    assert tables["steps"][2]["gives"] == {"F": -1, "W": 1}
    assert tables["steps"][3]["forward"] == "formula" and tables["steps"][3]["backward"] == "none"
    assert tables["cycles"] == [{"name": "turn", "steps": {"r0": 1, "fuel": 1}}]
    assert abs(tables["voltages"][0]["mV"] + 2.5 * 26.7267) < 1e-3
    arrays = columns(info, payload)
    blob = arrays["name"].tobytes()
    names = [blob[at:blob.index(b"\0", at)].decode() for at in arrays["slot_name"][:, 0]]
    assert names == ['A, "first"', "S1", "S2"]
    assert arrays["slot_start"][:, 0].tolist() == [100, 101, 102] and arrays["tape"].shape == (3, 4)
    for name, size in info["network"]["sizes"].items():
        assert size >= 0, name


def check_dump(level, path, columns):
    found = walk(path)
    assert [info["frame"] for _, info, _ in found] == ["run"] + 6 * ["chunk"] + ["index", "footer"]
    check_run(found[0][1], found[0][2], columns)
    assert found[0][1]["level_name"] == level
    codecs = set()
    for number, (_, info, payload) in enumerate(found[1:7]):
        replica, index = number % 3, number // 3
        assert (info["replica"], info["index"], info["last"]) == (replica, index, index == 1)
        assert info["rng"] == [0xf000000000000000 + replica * 4 + i for i in range(4)]
        assert info["events"] == 10 * replica + index and info["counted"] == 1.75 and info["t1"] == 2.0 * index + 2
        want, got = expected(level, replica, index), columns(info, payload)
        assert list(got) == list(want)
        for name in want:
            assert got[name].shape == want[name].shape and (got[name] == want[name]).all(), (level, name)
        if level == "events":
            assert got["row_dir"].dtype == np.uint8
        codecs |= {(column[0], column[6]) for column in info["columns"]}
    assert {("row_dir", "zstd"), ("row_count", "zstd")} & codecs or level == "summary"
    assert {codec for name, codec in codecs if not name.startswith("row_")} == {"plain"}
    index = columns(found[7][1], found[7][2])
    assert index["offset"][:, 0].tolist() == [offset for offset, _, _ in found[1:7]]
    assert index["last"][:, 0].tolist() == [0, 0, 0, 1, 1, 1] and index["t1"][:, 0].tolist() == 3 * [2.0] + 3 * [4.0]
    footer = found[8][1]
    assert footer["complete"] is True and footer["chunks"] == 6 and footer["finished"] == 3
    assert footer["index"] == found[7][0] and footer["events"] == sum(10 * r + i for r in range(3) for i in range(2))


def check_npz(level, path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    arrays = np.load(path)
    order = [(r, i) for i in range(2) for r in range(3)]
    wants = [expected(level, r, i) for r, i in order]
    for name in wants[0]:
        want = np.concatenate([w[name] for w in wants])
        want = want[:, 0] if name in ("row_time", "row_dir", "row_tape_entropy") else want
        assert arrays[name].shape == want.shape and (arrays[name] == want).all(), (level, name)
    assert arrays["replica"].tolist() == [r for r, _ in order] and arrays["index"].tolist() == [i for _, i in order]
    rows = 0 if level == "summary" else ROWS
    assert arrays["row_replica"].tolist() == [r for r, _ in order for _ in range(rows)]
    assert arrays["t1"].tolist() == [2.0 * i + 2 for _, i in order] and arrays["last"].tolist() == [i for _, i in order]
    assert arrays["slot_names"].tolist() == ['A, "first"', "S1", "S2"]
    assert arrays["step_names"].tolist() == ["r0", "r1", "fuel", "formula"]
    assert "affinity: kT" in arrays["conventions"].tolist()


def check_csv(level, path):
    lines = path.read_text().splitlines()
    comments = [line for line in lines if line.startswith("#")]
    assert "# affinity: kT" in comments and lines[:len(comments)] == comments
    table = list(csv.reader(lines[len(comments):]))
    head, body = table[0], table[1:]
    assert all(len(row) == len(head) for row in body)
    assert len(body) == (6 if level == "summary" else 6 * ROWS)
    if level == "events":
        assert head == ["replica", "time_s", "step", "direction"]
        want = expected(level, 1, 0)
        names = ["r0", "r1", "fuel", "formula"]
        for k in range(ROWS):
            direction = int(want["row_dir"][k, 0])
            replica, time, step, way = body[ROWS + k]
            assert (replica, step, way) == ("1", names[direction // 2], ["forward", "backward"][direction % 2])
            assert float(time) == want["row_time"][k, 0]
        return
    assert 'A, "first"' in head or 'A, "first" dwell_s' in head
    last = {name: value for name, value in zip(head, body[-1])}
    want = expected(level, 2, 1)
    if level == "flux":
        assert int(last["fuel backward"]) == want["row_bwd"][-1, 2]
        assert float(last["S2 dwell_s"]) == want["row_dwell"][-1, 2]
    if level in ("flux", "grid"):
        assert int(last["S1"]) == want["row_count"][-1, 1] and float(last["time_s"]) == 4.0
    if level == "summary":
        assert int(last["r1 backward"]) == want["bwd"][0, 1] and float(last["S1 dwell2_s"]) == want["dwell2"][0, 1]


def check_cat(level, path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["run"] + 6 * ["chunk"] + ["index", "footer"]
    assert lines[0]["seed"] == 0xfedcba9876543210 and "café" in lines[0]["model_text"]
    for number, line in enumerate(lines[1:7]):
        for name, want in expected(level, number % 3, number // 3).items():
            got = np.array(line[name]).reshape(want.shape)
            assert (got == want).all(), (level, name)


def main():
    program = BUILD / "tests/dump_print"
    names, rest = example()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, folder], check=True)
        for level in LEVELS:
            base = Path(folder) / level
            check_dump(level, base.with_suffix(".msgpack"), names["columns"])
            check_npz(level, base.with_suffix(".npz"))
            check_csv(level, base.with_suffix(".csv"))
            check_cat(level, base.with_suffix(".json"))
        names["path"] = Path(folder) / "flux.msgpack"
        exec(rest, names)
        chunks = [expected("flux", r, i) for r in range(3) for i in range(2)]
        want = sum((chunk["fwd"] - chunk["bwd"])[0] for chunk in chunks)
        assert list(names["net"].values()) == want.tolist() and list(names["net"]) == ["r0", "r1", "fuel", "formula"]
        subprocess.run([program, folder], check=True)  # the same bytes again
        again = (Path(folder) / "flux.msgpack").read_bytes()
        subprocess.run([program, folder], check=True)
        assert again == (Path(folder) / "flux.msgpack").read_bytes()
    print("dumps walk, decode and export as the page says")


if __name__ == "__main__":
    main()
