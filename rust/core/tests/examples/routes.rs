//! Routes: the subscriptions that match a topic, and their removal.

use ferrogen_core::{CoreError, Hit, Names, Removed, RouteId, Routes, Rule, Symbol};

fn agent_types() -> (Symbol, Symbol) {
    let mut names = Names::default();
    (names.intern("writer"), names.intern("critic"))
}

fn matching(routes: &Routes, topic_type: &str) -> Vec<RouteId> {
    let mut hits = Vec::new();
    routes.matches(topic_type, &mut hits);
    hits.iter().map(|hit| hit.route).collect()
}

#[test]
fn matches_all_kinds_of_rules_in_the_order_of_subscribing() {
    let (writer, critic) = agent_types();
    let mut routes = Routes::default();
    let long = routes.add("long", Rule::Prefix("draft.po", writer)).unwrap();
    let exact = routes.add("exact", Rule::Exact("draft.poem", writer)).unwrap();
    let opaque = routes.add("opaque", Rule::Opaque).unwrap();
    let short = routes.add("short", Rule::Prefix("d", critic)).unwrap();
    let second = routes.add("second", Rule::Exact("draft.poem", critic)).unwrap();
    assert_eq!(matching(&routes, "draft.poem"), [long, exact, opaque, short, second]);
    assert_eq!(matching(&routes, "draft"), [opaque, short]);
    assert_eq!(matching(&routes, ""), [opaque]);
}

#[test]
fn matches_every_topic_with_an_empty_prefix() {
    let (writer, _) = agent_types();
    let mut routes = Routes::default();
    let all = routes.add("all", Rule::Prefix("", writer)).unwrap();
    assert_eq!(matching(&routes, ""), [all]);
    assert_eq!(matching(&routes, "anything"), [all]);
}

#[test]
fn does_not_match_a_prefix_that_ends_inside_a_character() {
    let (writer, _) = agent_types();
    let mut routes = Routes::default();
    routes.add("two bytes", Rule::Prefix("é", writer)).unwrap();
    let three = routes.add("three bytes", Rule::Prefix("€", writer)).unwrap();
    assert_eq!(matching(&routes, "€uro"), [three]);
}

#[test]
fn matches_one_token_of_any_text_with_an_asterisk() {
    let (writer, _) = agent_types();
    let mut routes = Routes::default();
    let created = routes.add("id", Rule::Wildcard("orders.*.created", writer)).unwrap();
    for topic_type in ["orders.eu.created", "orders..created", "orders.*.created"] {
        assert_eq!(matching(&routes, topic_type), [created], "{topic_type}");
    }
    let others = ["orders.created", "orders.eu.fr.created", "orders.eu", "orders.eu.created.x", ""];
    for topic_type in others {
        assert_eq!(matching(&routes, topic_type), [], "{topic_type}");
    }
}

#[test]
fn matches_one_or_more_tokens_with_a_greater_than_sign_at_the_end() {
    let (writer, critic) = agent_types();
    let mut routes = Routes::default();
    let orders = routes.add("orders", Rule::Wildcard("orders.>", writer)).unwrap();
    let all = routes.add("all", Rule::Wildcard(">", critic)).unwrap();
    for topic_type in ["orders.eu", "orders.eu.created", "orders."] {
        assert_eq!(matching(&routes, topic_type), [orders, all], "{topic_type}");
    }
    for topic_type in ["orders", "ordersx.eu", "other.orders.eu", ""] {
        assert_eq!(matching(&routes, topic_type), [all], "{topic_type}");
    }
}

#[test]
fn takes_wildcards_literally_that_are_not_a_token_or_not_at_the_end() {
    let (writer, _) = agent_types();
    let mut routes = Routes::default();
    for pattern in ["a*", "a>", ">.a"] {
        let route = routes.add(pattern, Rule::Wildcard(pattern, writer)).unwrap();
        assert_eq!(matching(&routes, pattern), [route]);
    }
    assert_eq!(matching(&routes, "ab"), []);
    assert_eq!(matching(&routes, "b.a"), []);
}

#[test]
fn matches_wildcards_in_the_order_of_subscribing() {
    let (writer, critic) = agent_types();
    let mut routes = Routes::default();
    let rest = routes.add("rest", Rule::Wildcard("a.>", writer)).unwrap();
    let exact = routes.add("exact", Rule::Exact("a.b", writer)).unwrap();
    let any = routes.add("any", Rule::Wildcard("*.b", critic)).unwrap();
    let literal = routes.add("literal", Rule::Wildcard("a.b", critic)).unwrap();
    let prefix = routes.add("prefix", Rule::Prefix("a", writer)).unwrap();
    let rest_again = routes.add("rest again", Rule::Wildcard("a.>", critic)).unwrap();
    assert_eq!(matching(&routes, "a.b"), [rest, exact, any, literal, prefix, rest_again]);
}

#[test]
fn matches_a_pattern_of_many_tokens_without_recursion() {
    let (writer, _) = agent_types();
    let mut routes = Routes::default();
    let pattern = vec!["*"; 20_000].join(".");
    let route = routes.add("long", Rule::Wildcard(&pattern, writer)).unwrap();
    let topic_type = vec!["a"; 20_000].join(".");
    assert_eq!(matching(&routes, &topic_type), [route]);
    assert_eq!(matching(&routes, &topic_type[2..]), []);
    routes.remove("long").unwrap();
    assert_eq!(matching(&routes, &topic_type), []);
}

#[test]
fn matches_an_agent_type_once_for_each_rule() {
    let (writer, _) = agent_types();
    let mut routes = Routes::default();
    routes.add("one", Rule::Exact("a.b", writer)).unwrap();
    routes.add("two", Rule::Prefix("a", writer)).unwrap();
    routes.add("three", Rule::Prefix("a.b", writer)).unwrap();
    routes.add("four", Rule::Wildcard("a.*", writer)).unwrap();
    routes.add("five", Rule::Wildcard("a.>", writer)).unwrap();
    assert_eq!(matching(&routes, "a.b").len(), 5);
}

#[test]
fn refuses_the_same_topic_for_the_same_agent_type() {
    let (writer, critic) = agent_types();
    let mut routes = Routes::default();
    let rules = [
        Rule::Exact("poem", writer),
        Rule::Prefix("poem", writer),
        Rule::Wildcard("poem", writer),
        Rule::Wildcard("poem.*", writer),
        Rule::Wildcard("poem.>", writer),
    ];
    for (number, rule) in rules.into_iter().enumerate() {
        let id = format!("{number}");
        routes.add(&id, rule).unwrap();
        assert_eq!(routes.add("other", rule), Err(CoreError::SubscriptionExists));
    }
    routes.add("another", Rule::Exact("poem", critic)).unwrap();
    routes.add("another", Rule::Wildcard("poem.*", critic)).unwrap();
    assert_eq!(routes.len(), 7);
}

#[test]
fn uses_an_id_once_per_kind_and_removes_all_kinds() {
    let (writer, critic) = agent_types();
    let mut routes = Routes::default();
    let exact = routes.add("id", Rule::Exact("a", writer)).unwrap();
    let other = routes.add("other", Rule::Prefix("a", critic)).unwrap();
    let prefix = routes.add("id", Rule::Prefix("a", writer)).unwrap();
    let wildcard = routes.add("id", Rule::Wildcard("*", writer)).unwrap();
    let opaque = routes.add("id", Rule::Opaque).unwrap();
    let second = [Rule::Exact("b", critic), Rule::Prefix("b", critic), Rule::Wildcard("b", critic)];
    for rule in second.into_iter().chain([Rule::Opaque]) {
        assert_eq!(routes.add("id", rule), Err(CoreError::SubscriptionExists));
    }
    let removed = |route, agent_type| Removed { route, agent_type };
    assert_eq!(
        routes.remove("id"),
        Ok(vec![
            removed(exact, Some(writer)),
            removed(prefix, Some(writer)),
            removed(wildcard, Some(writer)),
            removed(opaque, None)
        ])
    );
    assert_eq!(matching(&routes, "a"), [other]);
    assert_eq!(routes.remove("id"), Err(CoreError::SubscriptionMissing));
}

#[test]
fn matches_a_subscription_last_that_was_added_again() {
    let (writer, critic) = agent_types();
    let mut routes = Routes::default();
    let gone = routes.add("first", Rule::Exact("a", writer)).unwrap();
    let second = routes.add("second", Rule::Prefix("a", critic)).unwrap();
    routes.remove("first").unwrap();
    let back = routes.add("first", Rule::Exact("a", writer)).unwrap();
    assert_ne!(back, gone);
    assert_eq!(matching(&routes, "a"), [second, back]);
}

#[test]
fn appends_hits_to_those_already_collected() {
    let (writer, critic) = agent_types();
    let mut routes = Routes::default();
    let early = routes.add("early", Rule::Prefix("a", writer)).unwrap();
    let late = routes.add("late", Rule::Exact("b", critic)).unwrap();
    let opaque = routes.add("opaque", Rule::Opaque).unwrap();
    let mut hits = Vec::new();
    routes.matches("b", &mut hits);
    routes.matches("a", &mut hits);
    assert_eq!(
        hits,
        [
            Hit { route: late, agent_type: Some(critic) },
            Hit { route: opaque, agent_type: None },
            Hit { route: early, agent_type: Some(writer) },
            Hit { route: opaque, agent_type: None },
        ]
    );
}

#[test]
fn keeps_no_state_for_topics() {
    let (writer, _) = agent_types();
    let mut routes = Routes::default();
    routes.add("id", Rule::Prefix("topic", writer)).unwrap();
    let before = format!("{routes:?}");
    for number in 0..1000 {
        matching(&routes, &format!("topic-{number}"));
    }
    assert_eq!(format!("{routes:?}"), before);
}
