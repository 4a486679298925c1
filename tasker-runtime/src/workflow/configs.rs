//! Whether steps give their handlers the values that they take from `handler.initialization`.

use crate::workflow::plan::{ListedHandler, TemplateFacts};
use crate::workflow::text::{Text, is_same};
use crate::workflow::wording::{NOBODY, consider, help, place, separate};

/// What is missing in the configurations that the template gives to a handler, in each step that it is listed for.
pub(super) const fn missing(template: &TemplateFacts, listed: &ListedHandler, text: &mut Text) {
    let mut next = template.next_of(listed, None);
    while let Some(step) = next {
        let mut index = 0;
        while index < listed.configs.len() {
            missing_value(template, listed, step, index, text);
            index += 1;
        }
        next = template.next_of(listed, Some(step));
    }
}

const fn missing_value(
    template: &TemplateFacts,
    listed: &ListedHandler,
    step: usize,
    index: usize,
    text: &mut Text,
) {
    let (own, wanted) = (&template.steps[step], &listed.configs[index]);
    let Some(key) = wanted.key else { return };
    let (mut best, mut given) = (NOBODY, 0);
    while given < own.config.len() {
        if is_same(own.config[given], key) {
            return;
        }
        consider(&mut best, key, own.config[given]);
        given += 1;
    }
    if wanted.optional {
        return;
    }
    separate(text);
    text.push("[TSK217] step ");
    text.quote(own.name);
    text.push(" does not give its handler the value ");
    text.quote(key);
    text.push(", which parameter ");
    text.quote(wanted.parameter);
    text.push(" of ");
    text.quote(listed.path);
    text.push(" takes");
    if best.0 < NOBODY.0 {
        help("write ", text);
        text.quote(key);
        text.push(" in place of ");
        text.quote(best.1);
        text.push(" in the `handler.initialization` of the step");
    } else {
        help("add ", text);
        text.quote(key);
        text.push(" to the `handler.initialization` of the step");
    }
    place(template, own, text);
    if best.0 == NOBODY.0 {
        text.push(", or take an `Option`");
    }
}
