//! The paths of methods, which people write in place of those of their handlers.

use syn::Path;
use syn::ext::IdentExt as _;
use tasker_template::snake_case_names;

/// The handler that stands for a method, where a path names the method of a type: `payments::charge` for
/// `Payments::charge`.
pub(crate) fn handler_of_method(path: &Path) -> Option<String> {
    let mut names: Vec<String> =
        path.segments.iter().map(|segment| segment.ident.unraw().to_string()).collect();
    let owner = names.len().checked_sub(2).map(|index| &mut names[index])?;
    // Only types have such names.
    if !owner.starts_with(char::is_uppercase) {
        return None;
    }
    *owner = snake_case_names([owner.as_str()]).pop()?;
    Some(names.join("::"))
}
