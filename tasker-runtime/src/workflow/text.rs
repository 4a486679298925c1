//! A text that is put together while compiling, for the messages of `workflow!`.

/// The longest text, in bytes; what is beyond is cut off.
const LONGEST: usize = 4_096;

/// A text that constant evaluation can build.
pub(super) struct Text {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Text {
    /// An empty text.
    pub(super) const fn new() -> Self {
        Self { bytes: [0; LONGEST], len: 0 }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) const fn push(&mut self, text: &str) {
        let mut index = 0;
        while index < text.len() && self.len < LONGEST {
            self.bytes[self.len] = text.as_bytes()[index];
            self.len += 1;
            index += 1;
        }
    }

    /// A name in backticks.
    pub(super) const fn quote(&mut self, name: &str) {
        self.push("`");
        self.push(name);
        self.push("`");
    }

    pub(super) const fn number(&mut self, number: u32) {
        let mut scale = 1;
        while number / scale >= 10 {
            scale *= 10;
        }
        while scale > 0 && self.len < LONGEST {
            self.bytes[self.len] = b'0' + (number / scale % 10) as u8;
            self.len += 1;
            scale /= 10;
        }
    }

    pub(super) const fn spaces(&mut self, count: u32) {
        let mut left = count;
        while left > 0 {
            self.push(" ");
            left -= 1;
        }
    }

    pub(super) const fn as_str(&self) -> &str {
        let (text, _) = self.bytes.split_at(self.len);
        match core::str::from_utf8(text) {
            Ok(text) => text,
            // It was cut off inside a character.
            Err(error) => match core::str::from_utf8(text.split_at(error.valid_up_to()).0) {
                Ok(text) => text,
                Err(_) => "",
            },
        }
    }
}

pub(super) const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut index = 0;
    while index < one.len() {
        if one[index] != other[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// Longer names, in bytes, are not compared for likeness.
const LONGEST_NAME: usize = 128;

/// How many slips turn one name into the other, if it is likely that one was meant for the other: letters that
/// were added, left out, replaced or swapped, at most a quarter of the longer name. Case does not count, nor
/// whether `-` or `_` was written, as in [`tasker_template::nearest`].
pub(super) const fn slips(one: &str, other: &str) -> Option<usize> {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let longer = if one.len() > other.len() { one.len() } else { other.len() };
    let max = longer.div_ceil(4);
    if longer > LONGEST_NAME || one.is_empty() || other.is_empty() || one.len().abs_diff(other.len()) > max {
        return None;
    }
    let mut before;
    let mut above = [0; LONGEST_NAME + 1];
    let mut row = [0; LONGEST_NAME + 1];
    let mut column = 0;
    while column <= other.len() {
        row[column] = column;
        column += 1;
    }
    let mut line = 0;
    while line < one.len() {
        (before, above) = (above, row);
        row[0] = line + 1;
        column = 0;
        while column < other.len() {
            let differs = folded(one[line]) != folded(other[column]);
            let mut least = above[column] + differs as usize;
            least = min(least, above[column + 1] + 1);
            least = min(least, row[column] + 1);
            let swapped = line > 0
                && column > 0
                && folded(one[line]) == folded(other[column - 1])
                && folded(one[line - 1]) == folded(other[column]);
            if swapped {
                least = min(least, before[column - 1] + 1);
            }
            row[column + 1] = least;
            column += 1;
        }
        line += 1;
    }
    let slips = row[other.len()];
    if slips <= max { Some(slips) } else { None }
}

const fn min(one: usize, other: usize) -> usize {
    if one < other { one } else { other }
}

const fn folded(byte: u8) -> u8 {
    match byte {
        b'-' => b'_',
        byte => byte.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_put_together() {
        let mut text = Text::new();
        text.quote("a");
        text.push(" is at ");
        text.number(0);
        text.spaces(2);
        text.number(1_203);
        assert_eq!(text.as_str(), "`a` is at 0  1203");
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_between_characters() {
        let mut text = Text::new();
        text.push("a");
        text.push(&"é".repeat(LONGEST));
        assert_eq!(text.as_str().len(), LONGEST - 1);
    }

    #[test]
    fn likeness_is_that_of_templates() {
        let names =
            ["send_welcome", "Send-Welcome", "send_welcmoe", "create_account", "create_acount", "x", "xy"];
        for one in names {
            for other in names {
                let near = tasker_template::nearest(one, [other]).is_some();
                assert_eq!(slips(one, other).is_some(), near, "{one} {other}");
            }
        }
    }
}
