//! Reading `#[command(key = value, flag, group(…))]`: known keys only, each at most once, all mistakes together.

use proc_macro2::Span;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Ident, Token, bracketed};

use crate::suggest::did_you_mean;

/// Mistakes, reported together.
#[derive(Default)]
pub struct Mistakes(Option<syn::Error>);

impl Mistakes {
    /// Notes a mistake at its place.
    pub fn add(&mut self, span: Span, message: impl std::fmt::Display) {
        self.note(syn::Error::new(span, message));
    }

    /// Notes a mistake.
    pub fn note(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(all) => all.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// The value of a result; none when it was a mistake.
    pub fn keep<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.note(error)).ok()
    }

    /// Nothing, when there was no mistake.
    pub fn finish(self) -> syn::Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

/// Reads every attribute of that name; `take` reads what follows a key that is known.
pub fn read(
    attributes: &[Attribute],
    name: &str,
    known: &[&str],
    mistakes: &mut Mistakes,
    mut take: impl FnMut(&Ident, ParseStream<'_>) -> syn::Result<()>,
) {
    let mut seen = Vec::new();
    for attribute in attributes.iter().filter(|it| it.path().is_ident(name)) {
        if matches!(attribute.meta, syn::Meta::Path(_)) {
            continue;
        }
        let result = attribute.parse_args_with(|input: ParseStream<'_>| keys(input, name, known, &mut seen, &mut take));
        mistakes.keep(result);
    }
}

/// Reads `key …, key …` up to the end of the brackets.
pub fn keys(
    input: ParseStream<'_>,
    group: &str,
    known: &[&str],
    seen: &mut Vec<Ident>,
    take: &mut impl FnMut(&Ident, ParseStream<'_>) -> syn::Result<()>,
) -> syn::Result<()> {
    while !input.is_empty() {
        let key = input.call(Ident::parse_any)?;
        if !known.contains(&key.to_string().as_str()) {
            let hint =
                did_you_mean(&key.to_string(), known).unwrap_or_else(|| format!("known keys: {}", known.join(", ")));
            return Err(syn::Error::new(key.span(), format!("`{group}` has no key `{key}`; {hint}")));
        }
        if seen.contains(&key) {
            return Err(syn::Error::new(key.span(), format!("`{key}` is given twice; keep one")));
        }
        take(&key, input)?;
        seen.push(key);
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(())
}

/// Reads `= value`; `example` is shown when there is something else.
pub fn value<T: Parse>(key: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<T> {
    let wrong = |span: Span| syn::Error::new(span, format!("`{key}` needs a value: `{key} = {example}`"));
    input.parse::<Token![=]>().map_err(|_| wrong(key.span()))?;
    let span = input.span();
    input.parse().map_err(|_| wrong(span))
}

/// Reads `= [item, …]`.
pub fn list<T: Parse>(key: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<Vec<T>> {
    let wrong = |span: Span| syn::Error::new(span, format!("`{key}` needs a list: `{key} = [{example}]`"));
    input.parse::<Token![=]>().map_err(|_| wrong(key.span()))?;
    let span = input.span();
    let content = (|| {
        let content;
        bracketed!(content in input);
        Ok(content)
    })()
    .map_err(|_: syn::Error| wrong(span))?;
    let items = Punctuated::<T, Token![,]>::parse_terminated(&content).map_err(|_| wrong(span))?;
    Ok(items.into_iter().collect())
}

/// Refuses a value after a key that takes none.
pub fn flag(key: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
    if input.is_empty() || input.peek(Token![,]) {
        return Ok(());
    }
    Err(syn::Error::new(input.span(), format!("`{key}` takes no value: write `{key}`, or leave it out")))
}

/// The first paragraph of the doc comment, on one line.
pub fn documentation(attributes: &[Attribute]) -> Option<String> {
    let mut words = Vec::new();
    for attribute in attributes.iter().filter(|it| it.path().is_ident("doc")) {
        let syn::Meta::NameValue(pair) = &attribute.meta else { continue };
        let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value else { continue };
        // not `lines()`: an empty comment line has none
        for line in text.value().split('\n') {
            if line.trim().is_empty() && !words.is_empty() {
                return Some(words.join(" "));
            }
            words.extend(line.split_whitespace().map(str::to_owned));
        }
    }
    (!words.is_empty()).then(|| words.join(" "))
}
