//! Rewrites a copy of the crate so that it contains many mutants at once, each behind a number.
//!
//! ```text
//! sockless-mutants LIST FOLDER
//! ```
//!
//! `LIST` is the output of `cargo mutants --list --json`, with a field `number` added to each
//! mutant. `FOLDER` has a copy of the crate, and this program rewrites its `src` in place.
//!
//! The environment variable `SOCKLESS_MUTANT` chooses the mutant when a test runs. Without this
//! variable, or with 0, the code behaves like the original. If `SOCKLESS_REACHED` names a file, the
//! numbers of all mutants that the code reaches are appended to the file.
//!
//! The program prints the numbers of mutants that cannot be switched, one a line. These are mutants
//! in constants, in functions that return `impl Trait`, and of unknown kinds.
//!
//! A pair of comments surrounds the code of each mutant: `/*<7*/` and `/*7>*/`. A compiler error
//! between them belongs to this mutant.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::{env, fs};

use proc_macro2::{LineColumn, Span};
use serde_json::Value;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{BinOp, Expr};

/// Inserted before the first line, so that a `const fn` can call `on`. During the compiler's
/// evaluation, `on` returns `false`.
const FEATURES: &str =
    "#![feature(core_intrinsics, const_eval_select)] #![allow(internal_features)] ";

/// The module that chooses the mutant. Some tests abort if the allocator is called, so this code
/// never allocates.
const SWITCH: &str = r#"
#[doc(hidden)]
#[allow(missing_docs, unreachable_pub)]
pub mod mutation {
    extern crate std;
    use std::io::{Read, Write};
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    static CHOSEN: AtomicU32 = AtomicU32::new(u32::MAX);
    /// One bit for each number that was reached, if `SOCKLESS_REACHED` is set.
    static REACHED: [AtomicU32; 1024] = [const { AtomicU32::new(0) }; 1024];
    const TRACED: u32 = u32::MAX - 1;

    #[inline]
    pub const fn on(number: u32) -> bool {
        core::intrinsics::const_eval_select((number,), never, is_chosen)
    }

    const fn never(_: u32) -> bool {
        false
    }

    #[inline]
    fn is_chosen(number: u32) -> bool {
        match CHOSEN.load(Relaxed) {
            u32::MAX => read(number),
            TRACED => reached(number),
            chosen => chosen == number,
        }
    }

    #[cold]
    fn read(number: u32) -> bool {
        let chosen = variable(b"SOCKLESS_MUTANT=", |digits| {
            digits.iter().fold(0, |n, digit| 10 * n + u32::from(digit - b'0'))
        });
        let traced = variable(b"SOCKLESS_REACHED=", |_| ()).is_some();
        CHOSEN.store(if traced { TRACED } else { chosen.unwrap_or(0) }, Relaxed);
        is_chosen(number)
    }

    #[cold]
    fn reached(number: u32) -> bool {
        let bit = 1 << (number % 32);
        if REACHED[number as usize / 32].fetch_or(bit, Relaxed) & bit == 0 {
            variable(b"SOCKLESS_REACHED=", |path| {
                let path = std::str::from_utf8(path).unwrap();
                let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
                let mut line = *b"     \n";
                let mut rest = number;
                for place in line[..5].iter_mut().rev() {
                    *place = b'0' + (rest % 10) as u8;
                    rest /= 10;
                }
                file.write_all(&line).unwrap();
            });
        }
        false
    }

    /// Returns the value of an environment variable, converted by `of`.
    fn variable<T>(name: &[u8], of: impl Fn(&[u8]) -> T) -> Option<T> {
        let mut text = [0u8; 1 << 16];
        let mut len = 0;
        if let Ok(mut file) = std::fs::File::open("/proc/self/environ") {
            while let Ok(n @ 1..) = file.read(&mut text[len..]) {
                len += n;
            }
        }
        text[..len]
            .split(|&byte| byte == 0)
            .find_map(|variable| variable.strip_prefix(name))
            .map(of)
    }
}
"#;

struct Mutant {
    number: u64,
    genre: String,
    replacement: String,
    start: (usize, usize),
}

/// A rewrite of a part of the source. Ranges are in bytes, and edits within them are applied too.
enum Edit {
    /// `left op right`, with the number and the operator of each mutant.
    Binary {
        op: BinOp,
        left: Range<usize>,
        sign: String,
        right: Range<usize>,
        others: Vec<(u64, String)>,
    },
    /// `!operand` or `-operand`. The mutant has no sign.
    Unary { number: u64, sign: String, operand: Range<usize> },
    /// A body. Each mutant returns one of these values instead.
    Body { values: Vec<(u64, String)>, rest: Range<usize> },
    /// The pattern of an arm. The mutant never takes the arm.
    Arm { number: u64, pattern: Range<usize> },
    /// A guard. Each mutant has one of these values instead.
    Guard { values: Vec<(u64, String)>, guard: Range<usize> },
    /// The scrutinee of a match, with the mutants of arms whose errors are reported here.
    Scrutinee { numbers: Vec<u64>, expr: Range<usize> },
}

struct Planter<'a> {
    text: &'a str,
    /// The mutants by genre, line and column.
    wanted: BTreeMap<(String, usize, usize), Vec<&'a Mutant>>,
    edits: Vec<(Range<usize>, Edit)>,
    planted: Vec<u64>,
    /// The number of enclosing constants.
    constant: usize,
}

fn key(genre: &str, at: LineColumn) -> (String, usize, usize) {
    (genre.to_owned(), at.line, at.column + 1)
}

impl<'a> Planter<'a> {
    fn take(&mut self, genre: &str, span: Span) -> Vec<&'a Mutant> {
        if self.constant > 0 {
            return Vec::new();
        }
        let found = self.wanted.remove(&key(genre, span.start())).unwrap_or_default();
        self.planted.extend(found.iter().map(|mutant| mutant.number));
        found
    }

    fn edit(&mut self, span: Span, edit: Edit) {
        self.edits.push((span.byte_range(), edit));
    }

    fn function(&mut self, output: &syn::ReturnType, block: &syn::Block) {
        // `impl Trait` is a single type, so a value of another type cannot be returned.
        let output = &self.text[output.span().byte_range()];
        if block.stmts.is_empty() || output.contains("impl ") {
            return;
        }
        let inside = block.brace_token.span.join().byte_range();
        let rest = inside.start + 1..inside.end - 1;
        let mut found = self.take("FnValue", block.brace_token.span.open());
        if let Some(statement) = block.stmts.first() {
            found.extend(self.take("FnValue", statement.span()));
        }
        if !found.is_empty() {
            let values = found.iter().map(|m| (m.number, m.replacement.clone())).collect();
            self.edits.push((rest.clone(), Edit::Body { values, rest }));
        }
    }

    /// Writes a part of the source with all its edits.
    fn render(&self, range: Range<usize>, skip: Option<usize>, to: &mut String) {
        let mut at = range.start;
        while at < range.end {
            // The next edit. Of several edits at one place, the outermost comes first.
            let next = self
                .edits
                .iter()
                .enumerate()
                .filter(|(index, (place, _))| {
                    Some(*index) != skip
                        && place.start >= at
                        && place.end <= range.end
                        && skip.is_none_or(|skip| {
                            let outer = &self.edits[skip].0;
                            *place != *outer || *index > skip
                        })
                })
                .min_by_key(|(index, (place, _))| (place.start, usize::MAX - place.end, *index));
            let Some((index, (place, edit))) = next else { break };
            to.push_str(&self.text[at..place.start]);
            self.write(index, edit, to);
            at = place.end;
        }
        to.push_str(&self.text[at..range.end]);
    }

    fn write(&self, index: usize, edit: &Edit, to: &mut String) {
        let part = |range: &Range<usize>| {
            let mut text = String::new();
            self.render(range.clone(), Some(index), &mut text);
            text
        };
        let marked = |number: &u64, text: &str| format!("/*<{number}*/{text}/*{number}>*/");
        let on = |number: &u64| format!("crate::mutation::on({number})");
        match edit {
            Edit::Binary { op, left, sign, right, others } => {
                let (l, r) = (part(left), part(right));
                let choose = |write: &dyn Fn(&str) -> String| {
                    let mut text = String::new();
                    for (number, other) in others {
                        let mutant = marked(number, &write(other));
                        text += &format!("if {} {{ {mutant} }} else ", on(number));
                    }
                    text + &format!("{{ {} }}", write(sign))
                };
                *to += &match op {
                    // The left operand is evaluated once, and the right one only if needed. An
                    // operand may contain a `return`.
                    BinOp::And(_) => {
                        let flip = on(&others[0].0);
                        format!(
                            "({{ let l_: bool = {l}; if l_ != {flip} {{ {r} }} else {{ l_ }} }})"
                        )
                    }
                    BinOp::Or(_) => {
                        let flip = on(&others[0].0);
                        format!(
                            "({{ let l_: bool = {l}; if l_ == {flip} {{ {r} }} else {{ l_ }} }})"
                        )
                    }
                    BinOp::Eq(_)
                    | BinOp::Ne(_)
                    | BinOp::Lt(_)
                    | BinOp::Le(_)
                    | BinOp::Gt(_)
                    | BinOp::Ge(_) => {
                        let text = choose(&|sign| format!("*l_ {sign} *r_"));
                        format!("(match (&({l}), &({r})) {{ (l_, r_) => {text} }})")
                    }
                    op if is_assignment(op) => {
                        let text = choose(&|sign| format!("{l} {sign} r_"));
                        format!("(match {r} {{ r_ => {text} }})")
                    }
                    _ => {
                        let text = choose(&|sign| format!("l_ {sign} r_"));
                        format!("(match ({l}, {r}) {{ (l_, r_) => {text} }})")
                    }
                };
            }
            Edit::Unary { number, sign, operand } => {
                let text = part(operand);
                *to += &format!(
                    "(match {text} {{ v_ => if {} {{ {} }} else {{ {sign}v_ }} }})",
                    on(number),
                    marked(number, "v_")
                );
            }
            Edit::Body { values, rest } => {
                for (number, value) in values {
                    *to += &format!(" if {} {{ return {}; }}", on(number), marked(number, value));
                }
                *to += &part(rest);
            }
            Edit::Arm { number, pattern } => {
                *to += &format!("{} if !{}", marked(number, &part(pattern)), on(number));
            }
            Edit::Guard { values, guard } => {
                let mut text = format!("({})", part(guard));
                for (number, value) in values {
                    text = format!(
                        "(if {} {{ {} }} else {{ {text} }})",
                        on(number),
                        marked(number, value)
                    );
                }
                *to += &text;
            }
            Edit::Scrutinee { numbers, expr } => {
                let mut text = part(expr);
                for number in numbers {
                    text = marked(number, &text);
                }
                *to += &text;
            }
        }
    }
}

fn is_assignment(op: &BinOp) -> bool {
    use BinOp::*;
    matches!(
        op,
        AddAssign(_)
            | SubAssign(_)
            | MulAssign(_)
            | DivAssign(_)
            | RemAssign(_)
            | BitXorAssign(_)
            | BitAndAssign(_)
            | BitOrAssign(_)
            | ShlAssign(_)
            | ShrAssign(_)
    )
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|a| {
        a.path().is_ident("cfg")
            && a.parse_args::<syn::Ident>().is_ok_and(|argument| argument == "test")
    })
}

impl<'ast> Visit<'ast> for Planter<'_> {
    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.constant += 1;
        visit::visit_item_const(self, item);
        self.constant -= 1;
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.constant += 1;
        visit::visit_impl_item_const(self, item);
        self.constant -= 1;
    }

    fn visit_trait_item_const(&mut self, item: &'ast syn::TraitItemConst) {
        self.constant += 1;
        visit::visit_trait_item_const(self, item);
        self.constant -= 1;
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.constant += 1;
        visit::visit_item_static(self, item);
        self.constant -= 1;
    }

    fn visit_type(&mut self, item: &'ast syn::Type) {
        // The length of an array is a constant.
        self.constant += 1;
        visit::visit_type(self, item);
        self.constant -= 1;
    }

    fn visit_expr_repeat(&mut self, item: &'ast syn::ExprRepeat) {
        self.visit_expr(&item.expr);
    }

    fn visit_expr_const(&mut self, _: &'ast syn::ExprConst) {}

    fn visit_pat(&mut self, _: &'ast syn::Pat) {}

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig.output, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig.output, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig.output, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_expr_binary(&mut self, item: &'ast syn::ExprBinary) {
        let found = self.take("BinaryOperator", item.op.span());
        if !found.is_empty() {
            let edit = Edit::Binary {
                op: item.op,
                left: item.left.span().byte_range(),
                sign: self.text[item.op.span().byte_range()].to_owned(),
                right: item.right.span().byte_range(),
                others: found.iter().map(|m| (m.number, m.replacement.clone())).collect(),
            };
            self.edit(item.span(), edit);
        }
        visit::visit_expr_binary(self, item);
    }

    fn visit_expr_unary(&mut self, item: &'ast syn::ExprUnary) {
        if let Some(mutant) = self.take("UnaryOperator", item.op.span()).first() {
            let edit = Edit::Unary {
                number: mutant.number,
                sign: self.text[item.op.span().byte_range()].to_owned(),
                operand: item.expr.span().byte_range(),
            };
            self.edit(item.span(), edit);
        }
        visit::visit_expr_unary(self, item);
    }

    fn visit_expr_match(&mut self, item: &'ast syn::ExprMatch) {
        let mut numbers = Vec::new();
        for arm in &item.arms {
            if let Some(mutant) = self.take("MatchArm", arm.span()).first() {
                numbers.push(mutant.number);
                let pattern = arm.pat.span().byte_range();
                self.edit(arm.pat.span(), Edit::Arm { number: mutant.number, pattern });
            }
            if let Some((_, guard)) = &arm.guard {
                let found = self.take("MatchArmGuard", guard.span());
                if !found.is_empty() {
                    let values = found.iter().map(|m| (m.number, m.replacement.clone())).collect();
                    let range = guard.span().byte_range();
                    self.edit(guard.span(), Edit::Guard { values, guard: range });
                }
            }
        }
        if !numbers.is_empty() {
            let expr = item.expr.span().byte_range();
            self.edit(item.expr.span(), Edit::Scrutinee { numbers, expr });
        }
        visit::visit_expr_match(self, item);
    }

    fn visit_expr(&mut self, item: &'ast Expr) {
        visit::visit_expr(self, item);
    }
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [list, folder] = &arguments[..] else { panic!("sockless-mutants LIST FOLDER") };
    let list: Value = serde_json::from_str(&fs::read_to_string(list).unwrap()).unwrap();
    let mut by_file: BTreeMap<String, Vec<Mutant>> = BTreeMap::new();
    for mutant in list.as_array().unwrap() {
        let text = |name: &str| mutant[name].as_str().unwrap().to_owned();
        let start = &mutant["span"]["start"];
        let place = |name: &str| start[name].as_u64().unwrap() as usize;
        by_file.entry(text("file")).or_default().push(Mutant {
            number: mutant["number"].as_u64().unwrap(),
            genre: text("genre"),
            replacement: text("replacement"),
            start: (place("line"), place("column")),
        });
    }
    for (file, mutants) in &by_file {
        let path = Path::new(folder).join(file);
        let text = fs::read_to_string(&path).unwrap();
        let parsed = syn::parse_file(&text).unwrap();
        let mut wanted: BTreeMap<_, Vec<&Mutant>> = BTreeMap::new();
        for mutant in mutants {
            let (line, column) = mutant.start;
            wanted.entry((mutant.genre.clone(), line, column)).or_default().push(mutant);
        }
        let mut planter =
            Planter { text: &text, wanted, edits: Vec::new(), planted: Vec::new(), constant: 0 };
        planter.visit_file(&parsed);
        let mut out = String::new();
        planter.render(0..text.len(), None, &mut out);
        fs::write(&path, out).unwrap();
        for mutant in mutants {
            if !planter.planted.contains(&mutant.number) {
                println!("{}", mutant.number);
            }
        }
    }
    let root = Path::new(folder).join("src/lib.rs");
    let text = fs::read_to_string(&root).unwrap();
    fs::write(root, FEATURES.to_owned() + &text + SWITCH).unwrap();
}
