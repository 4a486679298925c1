//! The hash of names.

/// The hash by which names are compared while compiling, where a type cannot carry a text: 64-bit FNV-1a of the
/// parts, with a zero after each.
///
/// ```
/// use tasker_template::name_hash;
/// assert_eq!(name_hash(&["charge"]), name_hash(&["charge"]));
/// assert_ne!(name_hash(&["a", "b"]), name_hash(&["ab"]));
/// ```
#[must_use]
pub const fn name_hash(parts: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut part = 0;
    while part < parts.len() {
        let bytes = parts[part].as_bytes();
        let mut index = 0;
        while index <= bytes.len() {
            let byte = if index < bytes.len() { bytes[index] } else { 0 };
            hash = (hash ^ byte as u64).wrapping_mul(0x0100_0000_01b3);
            index += 1;
        }
        part += 1;
    }
    hash
}
