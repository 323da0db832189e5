"""The SQLite store: text in a file, for threads and processes."""

import sqlite3
import subprocess
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from tempfile import TemporaryDirectory
from threading import Timer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen import CacheStore
from ferrogen.exceptions import CacheStoreError, ClientSetupError, SerializationError
from ferrogen.models.middleware import SqliteCacheStore

from ...random_examples import examples


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


def test_a_new_file_that_another_connection_has_locked_is_waited_for(tmp_path):
    path = tmp_path / "answers.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("CREATE TABLE letters (text)")
        release = Timer(0.05, other.execute, ["COMMIT"])
        release.start()
        with closing(SqliteCacheStore(path)) as store:
            store.set("way", "left")
            assert store.get("way") == "left"
        release.join()


WRITE = """
import sys
from ferrogen.models.middleware import SqliteCacheStore
store = SqliteCacheStore(sys.argv[1])
store.set("answer", store.get("way") + ", said the child")
store.close()
"""


def test_another_process_may_use_the_file_meanwhile(store, tmp_path, forking_python):
    store.set("way", "left")
    file = str(tmp_path / "answers.sqlite")
    subprocess.run([forking_python, "-c", WRITE, file], check=True)
    assert store.get("answer") == "left, said the child"


@contextmanager
def bounded_stores(max_entries, count=1):
    """Yield stores on one new file."""
    with TemporaryDirectory() as folder:
        stores = [
            SqliteCacheStore(f"{folder}/answers.sqlite", max_entries=max_entries)
            for _ in range(count)
        ]
        yield stores
        for store in stores:
            store.close()


def test_an_entry_that_is_written_again_evicts_no_other():
    with bounded_stores(3) as [store]:
        store.set("a", "1")
        store.set("b", "1")
        for number in range(5):
            store.set("a", str(number))
        assert (store.get("a"), store.get("b")) == ("4", "1")


def test_an_entry_that_was_read_is_kept_longer():
    with bounded_stores(2) as [store]:
        store.set("a", "1")
        store.set("b", "1")
        assert store.get("a") == "1"
        store.set("c", "1")
        assert [store.get(key) for key in "abc"] == ["1", None, "1"]


class LruModel:
    """What a bounded store is to do."""

    def __init__(self, max_entries):
        self._max_entries = max_entries
        self._entries = OrderedDict()

    def get(self, key):
        if key in self._entries:
            self._entries.move_to_end(key)
        return self._entries.get(key)

    def set(self, key, value):
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)


KEYS = st.sampled_from("abcdef")
# Which of two stores is used, for which key, and the value to be written; None reads.
CALLS = st.tuples(st.sampled_from([0, 1]), KEYS, st.none() | st.sampled_from("123"))


@examples(20)
@given(st.integers(1, 5), st.lists(CALLS, max_size=40))
def test_the_least_recently_used_entry_is_evicted_and_never_another(max_entries, calls):
    model = LruModel(max_entries)
    with bounded_stores(max_entries, count=2) as stores:
        for place, key, value in calls:
            if value is None:
                assert stores[place].get(key) == model.get(key)
            else:
                stores[place].set(key, value)
                model.set(key, value)
        for key in "abcdef":
            assert stores[0].get(key) == model.get(key)


def test_a_smaller_store_on_the_same_file_keeps_the_most_recently_used(tmp_path):
    large = SqliteCacheStore(tmp_path / "answers.sqlite")
    for key in "abcd":
        large.set(key, key)
    small = SqliteCacheStore(tmp_path / "answers.sqlite", max_entries=2)
    assert small.get("b") == "b"
    small.set("e", "e")
    assert [large.get(key) for key in "abcde"] == [None, "b", None, None, "e"]
    large.close()
    small.close()


def test_threads_that_share_a_bounded_file_leave_it_full():
    with bounded_stores(5, count=2) as stores, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: stores[number % 2].set(str(number), "x"), range(100)))
        found = [stores[0].get(str(number)) for number in range(100)]
        assert found.count("x") == 5


def test_a_value_is_read_if_its_use_cannot_be_recorded(tmp_path):
    store = SqliteCacheStore(tmp_path / "answers.sqlite", max_entries=3)
    store.set("a", "1")
    store.set("b", "1")
    with closing(sqlite3.connect(tmp_path / "answers.sqlite")) as other:
        other.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON entries BEGIN SELECT RAISE(FAIL, 'full'); END"
        )
    assert store.get("a") == "1"
    store.set("c", "1")
    assert [store.get(key) for key in "abc"] == ["1", "1", "1"]
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
    assert dumped.provider == "ferrogen.models.middleware.SqliteCacheStore"
