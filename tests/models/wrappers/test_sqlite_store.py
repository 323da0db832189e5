"""The sqlite store keeps text in a file, for threads and processes."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from ferrogen import CacheStore
from ferrogen.exceptions import CacheStoreError, ClientSetupError, SerializationError
from ferrogen.models.wrappers import SqliteCacheStore


@pytest.fixture
def store(tmp_path):
    store = SqliteCacheStore(tmp_path / "answers.sqlite")
    yield store
    store.close()


def test_a_value_is_found_until_another_takes_its_place(store):
    assert (store.get("way"), store.get("way", "none")) == (None, "none")
    for value in ("left", "right \N{MOUNTAIN}", ""):
        store.set("way", value)
        assert store.get("way", "none") == value


def test_it_can_be_used_again_after_it_was_closed(store):
    store.set("way", "left")
    store.close()
    store.close()
    assert store.get("way") == "left"


def test_many_threads_may_use_it(store):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: store.set(str(number), "x" * number), range(64)))
        assert list(pool.map(lambda number: len(store.get(str(number))), range(64))) == [*range(64)]


def test_several_stores_may_use_one_file(store, tmp_path):
    other = SqliteCacheStore(tmp_path / "answers.sqlite")
    store.set("way", "left")
    assert other.get("way") == "left"
    other.close()


WRITE = """
import sys
from ferrogen.models.wrappers import SqliteCacheStore
store = SqliteCacheStore(sys.argv[1])
store.set("answer", store.get("way") + ", said the child")
store.close()
"""


def test_another_process_may_use_the_file_meanwhile(store, tmp_path):
    store.set("way", "left")
    file = str(tmp_path / "answers.sqlite")
    subprocess.run([sys.executable, "-W", "error", "-c", WRITE, file], check=True)
    assert store.get("answer") == "left, said the child"


def test_the_longest_unwritten_values_go_first(tmp_path):
    store = SqliteCacheStore(tmp_path / "answers.sqlite", max_entries=2)
    for key in ("a", "b", "a", "c"):
        store.set(key, key)
    assert [store.get(key) for key in "abc"] == ["a", None, "c"]
    store.close()


def test_only_text_is_kept(store):
    with pytest.raises(SerializationError, match="keeps text, not int"):
        store.set("way", 3)


def test_a_file_that_is_no_store_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("Dear Ada, " * 100)
    with pytest.raises(CacheStoreError, match=r"letter\.txt cannot be used as a cache"):
        SqliteCacheStore(path).get("way")


def test_a_store_for_nothing_is_refused(tmp_path):
    with pytest.raises(ClientSetupError, match="max_entries must be at least 1"):
        SqliteCacheStore(tmp_path / "x", max_entries=0)


def test_it_is_loaded_as_it_was_dumped(store):
    dumped = store.dump_component()
    assert CacheStore.load_component(dumped).dump_component() == dumped
    assert dumped.provider == "ferrogen.models.wrappers.SqliteCacheStore"
