use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;

/// What steps see: the time, what each is to answer, and the positions that they were run at.
#[derive(Default)]
struct World {
    now_ms: AtomicI64,
    answers: Mutex<VecDeque<Outcome>>,
    runs: Mutex<Vec<Position>>,
}

struct Scripted(&'static str);

#[async_trait]
impl Step<World> for Scripted {
    fn name(&self) -> &'static str {
        self.0
    }

    async fn run(&self, of: &World, at: &Position, _: i64) -> Result<Outcome, StoreError> {
        assert_eq!(at.step, self.0);
        of.now_ms.fetch_add(1, Ordering::Relaxed);
        of.runs.lock().unwrap().push(at.clone());
        let next = of.answers.lock().unwrap().pop_front();
        next.ok_or_else(|| StoreError::Unknown(Failure::new("a step failed")))
    }
}

/// A lease that lasts for so many saves.
struct Row {
    position: Position,
    saves: usize,
}

#[async_trait]
impl Leased for Row {
    fn position(&self) -> &Position {
        &self.position
    }

    async fn save(&mut self, next: Position) -> Result<bool, StoreError> {
        let Some(left) = self.saves.checked_sub(1) else { return Ok(false) };
        (self.saves, self.position) = (left, next);
        Ok(true)
    }
}

const STEPS: [&dyn Step<World>; 3] = [&Scripted("a"), &Scripted("b"), &Scripted("c")];

async fn driven(world: &World, row: &mut Row, until_ms: i64) -> Result<Driven, StoreError> {
    drive(&STEPS, world, row, &|| world.now_ms.load(Ordering::Relaxed), until_ms).await
}

fn scripted(answers: impl IntoIterator<Item = Outcome>) -> (World, Row) {
    let world = World { answers: Mutex::new(answers.into_iter().collect()), ..World::default() };
    (world, Row { position: Position::at("a"), saves: usize::MAX })
}

fn runs(world: &World) -> Vec<(String, u32, u64)> {
    world.runs.lock().unwrap().iter().map(|at| (at.step.clone(), at.pass, at.cursor)).collect()
}

fn run(step: &str, pass: u32, cursor: u64) -> (String, u32, u64) {
    (step.to_owned(), pass, cursor)
}

#[tokio::test]
async fn steps_are_done_in_their_order_each_from_its_last_cursor_and_the_last_ends_it() {
    use Outcome::{Done, More};
    let (world, mut row) = scripted([More(7), More(9), Done, Done, More(1), Done]);
    assert_eq!(driven(&world, &mut row, 100).await.unwrap(), Driven::Finished);
    let ran = [run("a", 0, 0), run("a", 0, 7), run("a", 0, 9), run("b", 0, 0), run("c", 0, 0), run("c", 0, 1)];
    assert_eq!(runs(&world), ran);
    // The last step has ended the saga: no save follows it.
    assert_eq!(row.position, Position { cursor: 1, ..Position::at("c") });
}

#[tokio::test]
async fn a_slice_ends_with_its_time_and_the_next_one_goes_on() {
    let (world, mut row) = scripted([Outcome::More(3), Outcome::Done, Outcome::Done, Outcome::Done]);
    assert_eq!(driven(&world, &mut row, 1).await.unwrap(), Driven::OutOfTime);
    assert_eq!(row.position.cursor, 3);
    assert_eq!(driven(&world, &mut row, 1).await.unwrap(), Driven::OutOfTime, "nothing is begun behind its time");
    assert_eq!(driven(&world, &mut row, 100).await.unwrap(), Driven::Finished);
    assert_eq!(runs(&world)[1], run("a", 0, 3));
}

#[tokio::test]
async fn again_is_the_next_pass_and_back_is_not() {
    use Outcome::{Again, Back, Done, More};
    let (world, mut row) = scripted([Done, More(5), Again("a"), Done, Back("a"), Done, Done, Done]);
    assert_eq!(driven(&world, &mut row, 100).await.unwrap(), Driven::Finished);
    let ran = [("a", 0, 0), ("b", 0, 0), ("b", 0, 5), ("a", 1, 0), ("b", 1, 0), ("a", 1, 0), ("b", 1, 0), ("c", 1, 0)];
    assert_eq!(runs(&world), ran.map(|(step, pass, cursor)| run(step, pass, cursor)));
    assert_eq!(row.position.backs, 1);
}

#[tokio::test]
async fn what_is_sent_back_too_often_is_stuck_for_the_step_that_would() {
    use Outcome::{Back, Done};
    let (world, mut row) = scripted([Done, Back("a"), Done, Back("a"), Done, Back("a"), Done, Back("a")]);
    assert_eq!(driven(&world, &mut row, 100).await.unwrap(), Driven::Stuck);
    let Position { step, reason, backs, .. } = &row.position;
    assert_eq!((step.as_str(), reason.as_deref(), *backs), ("b", Some("b"), BACKS));
}

#[tokio::test]
async fn a_step_that_waits_is_run_again_once_its_time_has_come_and_knows_it() {
    let (world, mut row) = scripted([Outcome::WaitUntil(50, "drain"), Outcome::Done, Outcome::Done, Outcome::Done]);
    assert_eq!(driven(&world, &mut row, 100).await.unwrap(), Driven::Waits(50));
    assert_eq!((row.position.wait_until_ms, row.position.reason.as_deref()), (Some(50), Some("drain")));
    world.now_ms.store(49, Ordering::Relaxed);
    assert_eq!(driven(&world, &mut row, 100).await.unwrap(), Driven::Waits(50));
    assert_eq!(runs(&world).len(), 1);
    world.now_ms.store(50, Ordering::Relaxed);
    assert_eq!(driven(&world, &mut row, 100).await.unwrap(), Driven::Finished);
    let seen = world.runs.lock().unwrap()[1..3].iter().map(|at| at.wait_until_ms).collect::<Vec<_>>();
    assert_eq!(seen, [Some(50), None]);
    assert_eq!(row.position.reason, None);
}

#[tokio::test]
async fn what_is_stuck_stays_at_its_step_until_somebody_drives_it_again() {
    let (world, mut row) =
        scripted([Outcome::More(2), Outcome::Stuck("approval"), Outcome::Done, Outcome::Done, Outcome::Done]);
    assert_eq!(driven(&world, &mut row, 100).await.unwrap(), Driven::Stuck);
    let stuck = Position { cursor: 2, reason: Some("approval".to_owned()), ..Position::at("a") };
    assert_eq!(row.position, stuck);
    assert_eq!(driven(&world, &mut row, 100).await.unwrap(), Driven::Finished);
}

#[tokio::test]
async fn who_has_lost_the_lease_does_no_further_step() {
    let (world, mut row) = scripted([Outcome::Done, Outcome::Done, Outcome::Done]);
    row.saves = 1;
    assert_eq!(driven(&world, &mut row, 100).await.unwrap(), Driven::Lost);
    assert_eq!((runs(&world).len(), row.position.step.as_str()), (2, "b"));
}

#[tokio::test]
async fn a_step_that_fails_leaves_the_position_and_an_unknown_one_is_corrupt() {
    let (world, mut row) = scripted([Outcome::More(4)]);
    assert_eq!(driven(&world, &mut row, 100).await.unwrap_err().kind(), "unknown");
    assert_eq!(row.position.cursor, 4);
    row.position.step = "z".to_owned();
    assert_eq!(driven(&world, &mut row, 100).await.unwrap_err().kind(), "corrupt");
}
