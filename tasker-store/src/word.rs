//! Enums with a word for each variant, which stores, output and the command line use.

/// A word that is not one of those expected; the message lists these.
///
/// ```
/// use tasker::task::TaskState;
/// let error = "done".parse::<TaskState>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "`done` is no task state; write one of: in_progress, complete, blocked_by_failures, cancelled, error",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is no {what}; write one of: {}", .known.join(", "))]
pub struct UnknownWord {
    pub(crate) what: &'static str,
    pub(crate) word: String,
    pub(crate) known: &'static [&'static str],
}

/// Declares an enum with a word for each variant: `as_str`, `ALL`, `Display`, `FromStr`, and serde.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal {
        $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// All variants that this version knows.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The variant's word, as stores and output have it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::word::UnknownWord;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $($text => Ok(Self::$variant),)*
                    _ => Err($crate::word::UnknownWord {
                        what: $what,
                        word: word.to_owned(),
                        known: &[$($text),*],
                    }),
                }
            }
        }
    };
}

pub(crate) use words;
