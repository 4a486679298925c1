//! The hash of names, which types carry in place of the names.

/// 64-bit FNV-1a of the parts, with a zero after each; the runtime has the same as a `const fn`.
pub(crate) fn hash(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
