//! Interned agent types: strings that recur in every message, as small integers.
//!
//! Names are reference counted, so the table holds no more than the names in use at one time.
//! Agent keys and topic sources are not interned, because their number has no bound (R1).

use std::sync::Arc;

use hashbrown::HashMap;

/// An interned name. Two symbols in use are equal exactly if their strings are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(u32);

impl Symbol {
    /// The position of the symbol in a dense table. Positions of removed names are reused.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Debug)]
struct Entry {
    text: Arc<str>,
    users: usize,
}

/// The table of interned names.
#[derive(Debug, Default)]
pub struct Names {
    by_text: HashMap<Arc<str>, Symbol>,
    /// By symbol; `None` for the symbols in `free`.
    entries: Vec<Option<Entry>>,
    free: Vec<Symbol>,
}

impl Names {
    /// Returns the symbol of `text` and counts one more user of it.
    ///
    /// # Panics
    ///
    /// Panics with 2^32 different names in use, long after memory has run out.
    pub fn intern(&mut self, text: &str) -> Symbol {
        if let Some(symbol) = self.get(text) {
            self.retain(symbol);
            return symbol;
        }
        let text: Arc<str> = text.into();
        let symbol = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            Symbol(u32::try_from(self.entries.len() - 1).expect("fewer than 2^32 names"))
        });
        self.entries[symbol.index()] = Some(Entry { text: Arc::clone(&text), users: 1 });
        self.by_text.insert(text, symbol);
        symbol
    }

    /// Returns the symbol of `text` if it is in use. The count does not change.
    #[must_use]
    pub fn get(&self, text: &str) -> Option<Symbol> {
        self.by_text.get(text).copied()
    }

    /// The name whose symbol has this index, if it is in use.
    #[must_use]
    pub fn text(&self, index: usize) -> Option<&str> {
        self.entries.get(index)?.as_ref().map(|entry| &*entry.text)
    }

    /// Counts one more user of a symbol that is in use.
    pub fn retain(&mut self, symbol: Symbol) {
        if let Some(Some(entry)) = self.entries.get_mut(symbol.index()) {
            entry.users += 1;
        }
    }

    /// Counts one user less. Returns `true` when that was the last one: the name is removed, and
    /// its symbol is reused for a later name.
    pub fn release(&mut self, symbol: Symbol) -> bool {
        let Some(place) = self.entries.get_mut(symbol.index()) else { return false };
        let Some(entry) = place else { return false };
        entry.users -= 1;
        if entry.users > 0 {
            return false;
        }
        self.by_text.remove(&entry.text);
        *place = None;
        self.free.push(symbol);
        true
    }

    /// The number of names in use.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_text.len()
    }

    /// Whether no name is in use.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_text.is_empty()
    }
}
