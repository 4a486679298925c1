//! The page `docs/diagnostics.md`, as sections with their examples.

/// A section of the page: the fault of one number.
pub(super) struct Section {
    pub(super) number: String,
    pub(super) title: String,
    /// The first code in its text: the word of the fault.
    pub(super) word: String,
    blocks: Vec<(String, String)>,
}

impl Section {
    /// The blocks of this language.
    pub(super) fn blocks<'s>(&'s self, language: &str) -> impl Iterator<Item = &'s str> {
        let language = language.to_owned();
        self.blocks.iter().filter(move |(own, _)| *own == language).map(|(_, text)| text.as_str())
    }

    /// The only block of this language.
    pub(super) fn block(&self, language: &str) -> &str {
        let all: Vec<_> = self.blocks(language).collect();
        assert_eq!(all.len(), 1, "{} has one block of `{language}`", self.number);
        all[0]
    }

    /// Holds what was printed for the example to what the page says.
    #[track_caller]
    pub(super) fn assert_printed(&self, printed: &str) {
        let expected = self.block("text");
        assert!(
            fits(expected, printed),
            "{}, the page has\n{expected}\nand this was\n{printed}",
            self.number
        );
    }
}

/// All sections whose numbers begin with this.
pub(super) fn sections(hundred: &str) -> Vec<Section> {
    let page = include_str!("../../../docs/diagnostics.md");
    let sections = page.split("\n## ").skip(1).map(section);
    sections.filter(|section| section.number.starts_with(hundred)).collect()
}

/// The section of this number.
pub(super) fn of(number: &str) -> Section {
    sections(number).pop().unwrap_or_else(|| panic!("the page has no section {number}"))
}

fn section(text: &str) -> Section {
    let (heading, body) = text.split_once('\n').unwrap();
    let (number, title) = heading.split_once(": ").unwrap();
    let word = body.trim().strip_prefix('`').and_then(|body| body.split('`').next()).unwrap_or_default();
    // What the compiler reports has no word, and its section may begin with code.
    let word = if word.chars().all(|one| one.is_ascii_uppercase() || one == '_') { word } else { "" };
    let blocks = blocks(body).map(|(language, text)| (language.to_owned(), text.to_owned()));
    Section {
        number: number.to_owned(),
        title: title.to_owned(),
        word: word.to_owned(),
        blocks: blocks.collect(),
    }
}

/// The blocks of code of a text, with their languages.
pub(super) fn blocks(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split("```").skip(1).step_by(2).map(|block| block.split_once('\n').unwrap())
}

/// Whether lines of the message, one after the other, are what is expected.
pub(super) fn has_part(message: &str, expected: &str) -> bool {
    let (expected, lines) = (expected.trim_end(), message.lines().collect::<Vec<_>>());
    lines.windows(expected.lines().count()).any(|part| fits(expected, &part.join("\n")))
}

/// Whether the text is what is expected, where `…` stands for any text.
pub(super) fn fits(expected: &str, text: &str) -> bool {
    let mut rest = text.trim_end();
    let mut parts = expected.trim_end().split('…');
    let first = parts.next().unwrap_or_default();
    let Some(after) = rest.strip_prefix(first) else { return false };
    rest = after;
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        let at =
            if is_last && rest.ends_with(part) { Some(rest.len() - part.len()) } else { rest.find(part) };
        let Some(at) = at else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}

#[test]
fn an_ellipsis_stands_for_any_text() {
    for (expected, text, is_fitting) in [
        ("a … c", "a b c", true),
        ("a … c …", "a b c d", true),
        ("… c", "a c b c", true),
        ("a", "a b", false),
        ("a … d", "a b c", false),
    ] {
        assert_eq!(fits(expected, text), is_fitting, "{expected}: {text}");
    }
}
