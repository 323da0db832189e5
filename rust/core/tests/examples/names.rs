//! Interned names.

use ferrogen_core::Names;

#[test]
fn returns_the_same_symbol_for_the_same_text() {
    let mut names = Names::default();
    let (writer, critic) = (names.intern("writer"), names.intern("critic"));
    assert_eq!(names.intern("writer"), writer);
    assert_ne!(writer, critic);
    assert_eq!(names.get("critic"), Some(critic));
    assert_eq!(names.get("editor"), None);
    assert_eq!((writer.index(), critic.index()), (0, 1));
}

#[test]
fn removes_a_name_with_its_last_user() {
    let mut names = Names::default();
    let writer = names.intern("writer");
    names.intern("writer");
    names.retain(writer);
    assert!(!names.release(writer));
    assert!(!names.release(writer));
    assert!(names.release(writer));
    assert_eq!(names.get("writer"), None);
    assert!(names.is_empty());
    assert!(!names.release(writer), "it was removed");
}

#[test]
fn reuses_the_symbols_of_removed_names() {
    let mut names = Names::default();
    for number in 0..1000 {
        let symbol = names.intern(&format!("type {number}"));
        assert_eq!(symbol.index(), 0);
        assert!(names.release(symbol));
    }
}
