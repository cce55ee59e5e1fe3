//! The fake table of the unit tests against the local stack's: the same writes, drawn by lot, have the same outcome on
//! both, and both give the same rows.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use ledgerline_aws::table::DynamoTable;
use ledgerline_ledger::store::StoreError;
use ledgerline_store::table::{Beside, Change, Condition, Key, Path, Query, Returning, Row, Scan, Table, Value, Write};
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::table::FakeTable;
use ledgerline_tests::stack::Stack;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng as Dice;

const WRITES: usize = 400;
/// Not a family of the product's: no rule of the fake's applies.
const PARTITION: &str = "CONTRACT#";

#[test]
fn the_fake_table_does_what_the_real_one_does() {
    let Some(stack) = Stack::running() else { return };
    let real = |name| DynamoTable::new(stack.dynamodb.clone(), stack.description().table(name).unwrap());
    let fake = |name| FakeTable::new(name, Faults::none(), Calls::default()).port();
    let pair = |name| Pair { fake: fake(name), real: Arc::new(real(name)) };
    stack.block(compare(&pair("IndexTable"), &pair("ControlTable")));
}

/// A fake table and the real one that it stands for.
struct Pair {
    fake: Arc<dyn Table>,
    real: Arc<dyn Table>,
}

async fn compare(pair: &Pair, other: &Pair) {
    let Pair { fake, real } = pair;
    let run = format!("{PARTITION}{}", uuid::Uuid::new_v4());
    let mut dice = Dice::seed_from_u64(20_261_130);
    for nth in 0..WRITES {
        let returning =
            *[Returning::Nothing, Returning::Before, Returning::After, Returning::Changed].choose(&mut dice).unwrap();
        match dice.random_range(0..8) {
            0 => {
                let writes = distinct((0..3).map(|_| transacted(&mut dice, &run)).collect());
                let (one, other) = (
                    fake.transact("t", writes.clone(), Vec::new()).await,
                    real.transact("t", writes.clone(), Vec::new()).await,
                );
                assert_eq!(kind(&one), kind(&other), "write {nth}: {writes:?}");
            }
            7 => {
                let [writes, there] = [0, 1].map(|_| (0..2).map(|_| transacted(&mut dice, &run)).collect());
                let (writes, there) = (distinct(writes), distinct(there));
                let beside = |table: &Arc<dyn Table>| vec![Beside { table: Arc::clone(table), writes: there.clone() }];
                let (one, two) = (
                    fake.transact("t", writes.clone(), beside(&other.fake)).await,
                    real.transact("t", writes.clone(), beside(&other.real)).await,
                );
                assert_eq!(kind(&one), kind(&two), "write {nth}: {writes:?} beside {there:?}");
            }
            1 => {
                let writes = (0..30).map(|_| bare(&mut dice, &run)).collect();
                let writes = distinct(writes);
                fake.batch_write("t", writes.clone()).await.unwrap();
                real.batch_write("t", writes).await.unwrap();
            }
            _ => {
                let write = drawn(&mut dice, &run);
                // DynamoDB returns attributes of updates alone, but for what was there before.
                let update = matches!(write.action, ledgerline_store::table::Action::Update(_));
                let returning = if update || returning == Returning::Before { returning } else { Returning::Nothing };
                let one = fake.write("t", write.clone(), returning).await;
                let other = real.write("t", write.clone(), returning).await;
                assert_eq!(kind(&one), kind(&other), "write {nth}: {write:?}");
                assert_eq!(
                    sorted(one.unwrap_or_default()),
                    sorted(other.unwrap_or_default()),
                    "write {nth}: {write:?}"
                );
            }
        }
        if nth % 20 == 0 || nth + 1 == WRITES {
            assert_same_rows(pair, &run).await;
            assert_same_rows(other, &run).await;
        }
    }
}

async fn assert_same_rows(Pair { fake, real }: &Pair, run: &str) {
    let keys: Vec<Key> = (0..KEYS).map(|sk| key(run, sk)).collect();
    let mut seen = Vec::new();
    for table in [fake, real] {
        let batch = table.batch_get("t", &keys).await.unwrap();
        for (key, row) in keys.iter().zip(&batch) {
            assert_eq!(table.get("t", key).await.unwrap().map(sorted), row.clone().map(sorted));
        }
        let mut queries = Vec::new();
        for (prefix, after, limit) in [(None, None, None), (Some("s0"), None, None), (None, Some("s03"), Some(2))] {
            let (prefix, after) = (prefix.map(str::to_owned), after.map(str::to_owned));
            let query = Query { pk: run.to_owned(), prefix, after, limit };
            queries.push(rows(table.query("t", &query).await.unwrap()));
        }
        let (mut scanned, mut after) = (Vec::new(), None);
        loop {
            let (page, next) = table.scan_page("t", &Scan::Partitions(vec![run.to_owned()]), after).await.unwrap();
            scanned.extend(page.into_iter().map(|(key, row)| (key.sk, row)));
            after = next;
            if after.is_none() {
                break;
            }
        }
        scanned.sort_by(|one, other| one.0.cmp(&other.0));
        let scanned = rows(scanned);
        assert_eq!(scanned, queries[0]);
        seen.push((batch.into_iter().map(|row| row.map(sorted)).collect::<Vec<_>>(), queries));
    }
    assert_eq!(seen[0], seen[1]);
}

const KEYS: usize = 12;

fn key(run: &str, sk: usize) -> Key {
    Key::new(run, format!("s{sk:02}"))
}

/// A write of any kind and any condition.
fn drawn(dice: &mut Dice, run: &str) -> Write {
    let key = key(run, dice.random_range(0..KEYS));
    let write = match dice.random_range(0..7) {
        0 => Write::put(key, row(dice)),
        1 => Write::delete(key),
        // A set is only ever taken from where a row is known to be.
        2 => Write::update(key)
            .take("texts", Value::Ss((0..2).map(|nth| format!("t{nth}")).collect()))
            .when(Condition::Exists),
        _ => {
            // Each attribute has one type, as in all of our rows.
            let number = Value::N(dice.random_range(0..4).to_string());
            let changes = [
                Change::Set("n".into(), number.clone()),
                Change::SetIfAbsent("m".into(), number.clone()),
                Change::Add("sum".into(), number.clone()),
                Change::Add("set".into(), Value::Ns(vec![dice.random_range(0..4).to_string()])),
                Change::Add("texts".into(), Value::Ss(vec![format!("t{}", dice.random_range(0..4))])),
                Change::Set("text".into(), Value::S(format!("t{}", dice.random_range(0..3)))),
                Change::Remove("n2".into()),
                Change::Set("list".into(), Value::L(vec![item("a"), item("b")])),
            ];
            let take = dice.random_range(1..changes.len());
            let lists = [Change::Append("list".into(), vec![item("c")]), Change::RemoveFirst("list".into(), 1)];
            if dice.random_range(0..6) == 0 {
                // A key is taken from a row of keys; where there is none, both tables refuse.
                let member = if dice.random() { "a" } else { "b" };
                let write = Write::update(key).remove_member("map", member).remove_member("map", "c");
                return write.set("n", number).when(Condition::has("map"));
            }
            if dice.random_range(0..3) == 0 {
                // Commit and publication change the list that a row has; where there is none, both tables refuse.
                let change = lists.choose(dice).unwrap().clone();
                return Write::update(key).and(change).set("n", number).when(Condition::has("list"));
            }
            changes.sample(dice, take).fold(Write::update(key), |write, change| write.and(change.clone()))
        }
    };
    match condition(dice) {
        Some(condition) => write.when(condition),
        None => write,
    }
}

fn transacted(dice: &mut Dice, run: &str) -> Write {
    if dice.random_range(0..4) == 0 {
        let condition = condition(dice).unwrap_or(Condition::Exists);
        return Write::check(key(run, dice.random_range(0..KEYS)), condition);
    }
    drawn(dice, run)
}

fn bare(dice: &mut Dice, run: &str) -> Write {
    let key = key(run, dice.random_range(0..KEYS));
    if dice.random() { Write::put(key, row(dice)) } else { Write::delete(key) }
}

fn condition(dice: &mut Dice) -> Option<Condition> {
    let n = dice.random_range(0..4_u64);
    Some(match dice.random_range(0..21) {
        0 => Condition::Exists,
        1 => Condition::Absent,
        2 => Condition::has("n"),
        3 => Condition::lacks("n"),
        4 => Condition::equals("n", n),
        5 => Condition::below("sum", n),
        6 => Condition::at_most("sum", n),
        7 => Condition::at_least("n", n),
        8 => Condition::excludes("set", n),
        9 => Condition::equals(Path::inside("list", 1, "key"), "b"),
        10 => Condition::All(vec![Condition::Exists, Condition::equals("text", "t1"), Condition::excludes("set", n)]),
        11 => Condition::equals("list", Value::L(vec![item("a"), item("b")])),
        12 => Condition::equals("bytes", Value::B(vec![dice.random_range(0..2)])),
        13 => Condition::excludes("texts", format!("t{n}")),
        14 => Condition::equals("texts", Value::Ss(["t1", "t0"].map(str::to_owned).into())),
        15 => Condition::size("texts", dice.random_range(0..3)),
        16 => Condition::size("set", dice.random_range(0..3)),
        17 => Condition::size("map", dice.random_range(0..3)),
        _ => return None,
    })
}

fn row(dice: &mut Dice) -> Row {
    let bytes = vec![dice.random_range(0..2)];
    Row::from(
        [
            ("n", Value::N(dice.random_range(0..4).to_string())),
            ("text", Value::S("t1".to_owned())),
            ("bytes", Value::B(bytes)),
            ("flag", Value::Bool(dice.random())),
            ("list", Value::L(vec![item("a"), item("b")])),
            ("map", Value::M(["a", "b"].map(|name| (name.to_owned(), Value::Bool(true))).into())),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    )
}

fn item(key: &str) -> Value {
    Value::M(Row::from([("key".to_owned(), Value::S(key.to_owned()))]))
}

/// At most one write a row.
fn distinct(writes: Vec<Write>) -> Vec<Write> {
    let mut seen = std::collections::BTreeSet::new();
    writes.into_iter().filter(|write| seen.insert(write.key.clone())).collect()
}

fn rows(rows: Vec<(String, Row)>) -> Vec<(String, Row)> {
    rows.into_iter().map(|(sk, row)| (sk, sorted(row))).collect()
}

/// A row whose sets are in order: neither table promises one.
fn sorted(mut row: Row) -> Row {
    for value in row.values_mut() {
        if let Value::Ns(members) | Value::Ss(members) = value {
            members.sort();
        }
    }
    row
}

fn kind<T>(outcome: &Result<T, StoreError>) -> &'static str {
    outcome.as_ref().map_or_else(StoreError::kind, |_| "ok")
}
