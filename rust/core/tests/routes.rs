//! Who hears a topic, in sentences. `routes_properties.rs` compares with a naive scan.

use ferrogen_core::{CoreError, Hit, Names, RouteId, Routes, Rule, Symbol};

fn agent_types() -> (Symbol, Symbol) {
    let mut names = Names::default();
    (names.intern("writer"), names.intern("critic"))
}

fn heard(routes: &Routes, topic_type: &str) -> Vec<RouteId> {
    let mut hits = Vec::new();
    routes.hear(topic_type, &mut hits);
    hits.iter().map(|hit| hit.route).collect()
}

#[test]
fn all_kinds_of_rules_deliver_in_the_order_of_subscribing() {
    let (writer, critic) = agent_types();
    let mut routes = Routes::default();
    let long = routes.add("long", Rule::Prefix("draft.po", writer)).unwrap();
    let exact = routes.add("exact", Rule::Exact("draft.poem", writer)).unwrap();
    let opaque = routes.add("opaque", Rule::Opaque).unwrap();
    let short = routes.add("short", Rule::Prefix("d", critic)).unwrap();
    let second = routes.add("second", Rule::Exact("draft.poem", critic)).unwrap();
    assert_eq!(heard(&routes, "draft.poem"), [long, exact, opaque, short, second]);
    assert_eq!(heard(&routes, "draft"), [opaque, short]);
    assert_eq!(heard(&routes, ""), [opaque]);
}

#[test]
fn an_empty_prefix_hears_every_topic() {
    let (writer, _) = agent_types();
    let mut routes = Routes::default();
    let all = routes.add("all", Rule::Prefix("", writer)).unwrap();
    assert_eq!(heard(&routes, ""), [all]);
    assert_eq!(heard(&routes, "anything"), [all]);
}

#[test]
fn a_prefix_that_ends_inside_a_character_of_the_topic_is_no_match() {
    let (writer, _) = agent_types();
    let mut routes = Routes::default();
    routes.add("two bytes", Rule::Prefix("é", writer)).unwrap();
    let three = routes.add("three bytes", Rule::Prefix("€", writer)).unwrap();
    assert_eq!(heard(&routes, "€uro"), [three]);
}

#[test]
fn an_agent_type_that_two_kinds_of_rules_lead_to_hears_twice() {
    let (writer, _) = agent_types();
    let mut routes = Routes::default();
    routes.add("one", Rule::Exact("poem", writer)).unwrap();
    routes.add("two", Rule::Prefix("poem", writer)).unwrap();
    assert_eq!(heard(&routes, "poem").len(), 2);
}

#[test]
fn the_same_topic_to_the_same_agent_type_is_refused_whatever_its_id() {
    let (writer, critic) = agent_types();
    let mut routes = Routes::default();
    for rule in [Rule::Exact("poem", writer), Rule::Prefix("poem", writer)] {
        routes.add("one", rule).unwrap();
        assert_eq!(routes.add("other", rule), Err(CoreError::SubscriptionExists));
    }
    routes.add("other", Rule::Exact("poem", critic)).unwrap();
    assert_eq!(routes.len(), 3);
}

#[test]
fn an_id_is_taken_once_a_kind_and_removed_in_all_kinds_at_once() {
    let (writer, critic) = agent_types();
    let mut routes = Routes::default();
    let exact = routes.add("id", Rule::Exact("a", writer)).unwrap();
    let other = routes.add("other", Rule::Prefix("a", critic)).unwrap();
    let prefix = routes.add("id", Rule::Prefix("a", writer)).unwrap();
    let opaque = routes.add("id", Rule::Opaque).unwrap();
    for rule in [Rule::Exact("b", critic), Rule::Prefix("b", critic), Rule::Opaque] {
        assert_eq!(routes.add("id", rule), Err(CoreError::SubscriptionExists));
    }
    assert_eq!(routes.remove("id"), Ok(vec![exact, prefix, opaque]));
    assert_eq!(heard(&routes, "a"), [other]);
    assert_eq!(routes.remove("id"), Err(CoreError::SubscriptionMissing));
}

#[test]
fn a_subscription_that_comes_back_is_delivered_to_last() {
    let (writer, critic) = agent_types();
    let mut routes = Routes::default();
    let gone = routes.add("first", Rule::Exact("a", writer)).unwrap();
    let second = routes.add("second", Rule::Prefix("a", critic)).unwrap();
    routes.remove("first").unwrap();
    let back = routes.add("first", Rule::Exact("a", writer)).unwrap();
    assert_ne!(back, gone);
    assert_eq!(heard(&routes, "a"), [second, back]);
}

#[test]
fn hits_are_appended_behind_those_already_collected() {
    let (writer, critic) = agent_types();
    let mut routes = Routes::default();
    let early = routes.add("early", Rule::Prefix("a", writer)).unwrap();
    let late = routes.add("late", Rule::Exact("b", critic)).unwrap();
    let opaque = routes.add("opaque", Rule::Opaque).unwrap();
    let mut hits = Vec::new();
    routes.hear("b", &mut hits);
    routes.hear("a", &mut hits);
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
fn hearing_topics_leaves_nothing_behind() {
    let (writer, _) = agent_types();
    let mut routes = Routes::default();
    routes.add("id", Rule::Prefix("topic", writer)).unwrap();
    let before = format!("{routes:?}");
    for number in 0..1000 {
        heard(&routes, &format!("topic-{number}"));
    }
    assert_eq!(format!("{routes:?}"), before);
}
