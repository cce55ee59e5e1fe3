//! The template's tables have the columns that the code writes, in the code's order and of the code's types.

use ledgerline_lake::{gold, silver};

const TEMPLATE: &str = include_str!("../../../../infra/template.yaml");

/// The columns of a table of the template: `{ Name: …, Type: … }` behind its `Columns: [`.
fn columns(resource: &str) -> Vec<(String, String)> {
    let of_table = TEMPLATE.split_once(&format!("\n  {resource}:\n    Type: AWS::Glue::Table\n")).unwrap().1;
    let list = of_table.split_once("Columns: [").unwrap().1.split_once(']').unwrap().0;
    let column = |text: &str| {
        let (name, kind) = text.split_once('}').unwrap().0.split_once(", Type: ").unwrap();
        (name.trim().to_owned(), kind.trim().to_owned())
    };
    list.split("{ Name: ").skip(1).map(column).collect()
}

fn owned<'a>(columns: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    columns.into_iter().map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

#[test]
fn glue_has_the_codes_columns() {
    assert_eq!(columns("SilverEventsTable"), owned(silver::columns().map(|(name, kind)| (name, kind.glue()))));
    let of_gold =
        |all: Vec<(&'static str, gold::GoldKind)>| owned(all.into_iter().map(|(name, kind)| (name, kind.glue())));
    assert_eq!(columns("IntervalMetricsTable"), of_gold(gold::interval_columns()));
    assert_eq!(columns("DailyMetricsTable"), of_gold(gold::daily_columns()));
}

#[test]
fn tables_lie_where_the_code_writes() {
    for folder in ["silver/events/", ledgerline_lake::keys::GOLD_INTERVALS, ledgerline_lake::keys::GOLD_DAILY] {
        assert!(TEMPLATE.contains(&format!("Location: !Sub \"s3://${{LakeBucket}}/{folder}\"")), "{folder}");
        assert!(TEMPLATE.contains(&format!("s3://${{LakeBucket}}/{folder}date=${{!date}}/\"")), "{folder}");
    }
}
