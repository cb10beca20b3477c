//! Sets of words: what is typed, shown and written into documents is one word for each variant.

/// Not a word that there is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{word}' is none of {known}")]
pub struct UnknownWord {
    word: String,
    known: String,
}

impl UnknownWord {
    /// Of those that there are.
    pub(super) fn new<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Self {
        Self { word: word.to_owned(), known: known.collect::<Vec<_>>().join(", ") }
    }
}

/// Makes an enum of words: what is typed, shown and written into documents is one word each.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// All that there are.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// As it is typed.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::bench::UnknownWord;

            fn from_str(word: &str) -> Result<Self, $crate::bench::UnknownWord> {
                let found = Self::ALL.iter().find(|known| known.word() == word).copied();
                found.ok_or_else(|| {
                    $crate::bench::UnknownWord::new(word, Self::ALL.iter().map(|known| known.word()))
                })
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.word())
            }
        }
    };
}

pub(super) use words;
