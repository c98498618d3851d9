//! Puts variables into the values of a tree; keys stay as they are.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::environment::Environment;
use crate::node::{Node, Value};
use crate::report::Report;
use crate::template::{self, Lookup};

/// Interpolates every string in `node`. `warned` holds the unset variables that were already reported.
pub(crate) fn interpolate(
    node: &mut Node,
    environment: &Environment,
    warned: &mut BTreeSet<String>,
    report: &mut Report,
) {
    match &mut node.value {
        Value::Text(text) if text.contains('$') => {
            let template: Rc<str> = text.as_str().into();
            let lookup = Lookup::new(|name| environment.get(name).map(str::to_owned));
            match template::substitute(&template, &lookup) {
                Ok(value) => *text = value,
                Err(error) => {
                    let spot = report.locate(node.spot, &[&error.fragment()]);
                    report.problem(spot, error.to_string());
                }
            }
            for name in lookup.into_unset() {
                if warned.insert(name.clone()) {
                    let spot = report.locate(node.spot, &[&format!("${{{name}"), &format!("${name}")]);
                    report.warn(spot, format!("variable `{name}` is not set; it becomes empty text"));
                }
            }
            node.template = Some(template);
        }
        Value::List(items) => items.iter_mut().for_each(|item| interpolate(item, environment, warned, report)),
        Value::Map(map) => {
            map.values_mut().for_each(|entry| interpolate(&mut entry.node, environment, warned, report));
        }
        _ => {}
    }
}
