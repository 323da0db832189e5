"""Upstream's private module paths lead to our objects."""

from collections.abc import Callable
from importlib.util import find_spec
from unittest import mock

import pytest

from ferrogen.compat.missing import MODULES
from ferrogen.compat.private_modules import resolve
from ferrogen.compat.private_paths import PRIVATE_PATHS

RunProgram = Callable[..., str]


def test_every_entry_of_the_table_leads_somewhere():
    assert PRIVATE_PATHS
    assert set(PRIVATE_PATHS) <= MODULES
    for names in PRIVATE_PATHS.values():
        for home in names.values():
            resolve(home)


def test_every_entry_is_there_under_upstreams_path(run_program: RunProgram):
    run_program("""
        import importlib
        import ferrogen
        ferrogen.install()
        from ferrogen.compat.private_modules import resolve
        from ferrogen.compat.private_paths import PRIVATE_PATHS
        for path, names in PRIVATE_PATHS.items():
            module = importlib.import_module(f"autogen_core.{path}")
            for name, home in names.items():
                assert getattr(module, name) is resolve(home), (path, name)
                assert name in dir(module)
        """)


@pytest.mark.skipif(find_spec("autogen_core") is None, reason="needs the released package")
def test_upstream_has_every_entry_where_the_table_says(run_program: RunProgram):
    run_program("""
        import importlib
        from ferrogen.compat.private_paths import PRIVATE_PATHS
        for path, names in PRIVATE_PATHS.items():
            module = importlib.import_module(f"autogen_core.{path}")
            assert [name for name in names if not hasattr(module, name)] == [], path
        """)


@pytest.mark.skipif(find_spec("autogen_core") is None, reason="needs the released package")
def test_list_of_upstreams_names_is_complete(run_program: RunProgram):
    run_program("""
        import pkgutil
        import autogen_core
        from ferrogen.compat.missing import MODULES, NAMES
        assert set(autogen_core.__all__) == NAMES
        found = pkgutil.walk_packages(autogen_core.__path__, "autogen_core.")
        assert {module.name.partition(".")[2] for module in found} == MODULES
        """)


def test_private_modules_are_attributes_of_the_package(run_program: RunProgram):
    run_program("""
        import ferrogen
        ferrogen.install()
        assert not hasattr(ferrogen, "_agent_id")
        import autogen_core
        assert autogen_core._agent_id.AgentId is ferrogen.AgentId
        from autogen_core import _routed_agent
        assert _routed_agent.message_handler is ferrogen.message_handler
        """)


def test_private_packages_have_their_modules_too(run_program: RunProgram):
    run_program("""
        import ferrogen
        ferrogen.install()
        from autogen_core import _serialization
        assert _serialization.MessageSerializer is ferrogen.MessageSerializer
        import autogen_core._telemetry._tracing, ferrogen.telemetry.tracing
        assert autogen_core._telemetry.TraceHelper is ferrogen.telemetry.tracing.TraceHelper
        assert autogen_core._telemetry._tracing.TraceHelper is autogen_core._telemetry.TraceHelper
        """)


def test_optional_packages_are_not_imported_for_a_private_path(run_program: RunProgram):
    run_program("""
        import sys
        sys.modules["google.protobuf"] = None
        import ferrogen
        ferrogen.install()
        from autogen_core._serialization import SerializationRegistry
        """)


@pytest.mark.parametrize(
    "path",
    [
        "autogen_core.SingleThreadedAgentRuntime",
        "autogen_core._agent_id.AgentId",
        "autogen_core._serialization.SerializationRegistry",
        "autogen_core.logging.MessageEvent",
    ],
)
def test_mock_patch_replaces_and_restores_by_path(run_program: RunProgram, path: str):
    run_program(f"""
        import importlib
        from unittest import mock
        import ferrogen
        ferrogen.install()
        module, _, name = {path!r}.rpartition(".")
        with mock.patch({path!r}) as replacement:
            assert getattr(importlib.import_module(module), name) is replacement
        original = getattr(importlib.import_module(module), name)
        assert original is not replacement and original.__name__ == name
        """)


async def test_subscription_manager_routes_for_runtimes_written_elsewhere():
    from ferrogen import AgentId, TopicId, TypeSubscription
    from ferrogen.compat.other_runtimes import SubscriptionManager

    manager = SubscriptionManager()
    subscription = TypeSubscription("news", "reader")
    await manager.add_subscription(subscription)
    assert list(manager.subscriptions) == list(manager._subscriptions) == [subscription]
    with pytest.raises(ValueError, match=r"^Subscription already exists$"):
        await manager.add_subscription(subscription)

    topic = TopicId("news", "today")
    assert await manager.get_subscribed_recipients(topic) == [AgentId("reader", "today")]
    await manager.remove_subscription(subscription.id)
    assert await manager.get_subscribed_recipients(topic) == []
    with pytest.raises(ValueError, match=r"^Subscription does not exist$"):
        await manager.remove_subscription(subscription.id)


async def test_get_impl_builds_the_agent_unless_lazy():
    from ferrogen import AgentId, AgentType
    from ferrogen.compat.other_runtimes import get_impl

    build = mock.AsyncMock()
    expected = AgentId("reader", "today")
    for given in (expected, AgentType("reader"), "reader"):
        lookup = {"id_or_type": given, "key": "today", "instance_getter": build}
        assert await get_impl(**lookup, lazy=True) == expected
        build.assert_not_awaited()
        assert await get_impl(**lookup, lazy=False) == expected
        build.assert_awaited_once_with(expected)
        build.reset_mock()
