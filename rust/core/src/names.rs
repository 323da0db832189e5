//! Names turn the strings that recur in every message into small integers, once.
//!
//! Only agent types are interned: there are as many as there are registrations. Agent keys and
//! topic sources never come here, because their number has no bound (R1).

use hashbrown::HashMap;

/// An interned name. Two symbols of one [`Names`] are equal exactly if their strings are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(u32);

impl Symbol {
    /// The symbol's position in the order of first interning, counted from zero.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The table of interned names.
#[derive(Debug, Default)]
pub struct Names {
    by_text: HashMap<Box<str>, Symbol>,
}

impl Names {
    /// Returns the symbol of `text`, making one if it is new.
    ///
    /// # Panics
    ///
    /// Panics after 2^32 different names, long after memory has run out.
    pub fn intern(&mut self, text: &str) -> Symbol {
        if let Some(symbol) = self.by_text.get(text) {
            return *symbol;
        }
        let index = u32::try_from(self.by_text.len()).expect("fewer than 2^32 agent types");
        let symbol = Symbol(index);
        self.by_text.insert(text.into(), symbol);
        symbol
    }

    /// Returns the symbol of `text` if it was interned before.
    #[must_use]
    pub fn get(&self, text: &str) -> Option<Symbol> {
        self.by_text.get(text).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_gives_the_same_symbol() {
        let mut names = Names::default();
        let first = names.intern("writer");
        let other = names.intern("critic");
        assert_eq!(names.intern("writer"), first);
        assert_ne!(first, other);
        assert_eq!(names.get("critic"), Some(other));
        assert_eq!((first.index(), other.index()), (0, 1));
        assert_eq!(names.get("editor"), None);
    }
}
