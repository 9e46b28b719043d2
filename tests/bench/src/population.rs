//! A population of objects, from its first apply to a settled world and through a restart: how many calls that takes, and
//! what the process holds meanwhile.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

use harness::{AuditEvent, Operator, Options};
use simulator::{Call, Operation};

use crate::Failure;
use crate::bare::Bare;
use crate::figure::{Figure, Goal, whole};
use crate::ground::{Ground, NAMESPACE, OPEN, until_all_say};

/// How often an account is listed by default while something in it is not verified.
const POLL_UNVERIFIED: Duration = Duration::from_secs(30);
/// How often an account is listed when everything is settled; scaled, as nothing happens in between.
const POLL_SETTLED: Duration = Duration::from_secs(15);
/// How old a list may be that a POST rests on. No flag changes that.
const OBSERVATION_LIMIT: Duration = Duration::from_secs(15);
/// How many settled intervals are looked at. An hour has six of the real ones.
const INTERVALS: u32 = 4;
/// How long a settled operator is looked at to see what it does on its own, with the durations that it has by default.
const IDLE: Duration = Duration::from_mins(1);
const PATIENCE: Duration = Duration::from_secs(30);

const SCALED: [&str; 6] = ["--poll-settled", "15s", OPEN[0], OPEN[1], OPEN[2], OPEN[3]];

/// How many objects, and in how many accounts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) objects: usize,
    pub(crate) accounts: usize,
}

impl FromStr for Size {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let (objects, accounts) = text
            .split_once('x')
            .ok_or_else(|| format!("--populations: {text} is not like 100x10"))?;
        Ok(Self {
            objects: objects.parse()?,
            accounts: accounts.parse()?,
        })
    }
}

impl Size {
    fn scene(self) -> String {
        format!("{} objects, {} accounts", self.objects, self.accounts)
    }

    /// The most memory that may be resident, in MiB.
    const fn memory_limit(self) -> f64 {
        if self.objects <= 1000 { 20.0 } else { 64.0 }
    }
}

/// The calls of one stretch of time.
struct Stretch {
    cloudflare: Vec<Call>,
    kubernetes: Vec<AuditEvent>,
    lasted: Duration,
}

/// Where a stretch begins.
struct Mark {
    call: u64,
    audited: usize,
    at: Instant,
}

impl Mark {
    async fn set(ground: &Ground) -> Result<Self, Failure> {
        let audited = ground.audited().await?.len();
        Ok(Self {
            call: ground.last_call(),
            audited,
            at: Instant::now(),
        })
    }

    async fn until_now(self, ground: &Ground) -> Result<Stretch, Failure> {
        let lasted = self.at.elapsed();
        let cloudflare = ground.calls_after(self.call);
        Ok(Stretch {
            kubernetes: ground.audited().await?.split_off(self.audited),
            cloudflare,
            lasted,
        })
    }
}

impl Stretch {
    fn of(&self, operation: Operation) -> usize {
        let calls = self.cloudflare.iter();
        calls.filter(|call| call.operation == operation).count()
    }

    /// Lists, however many pages each has.
    fn lists(&self) -> usize {
        let is_first =
            |call: &&Call| call.operation == Operation::List && !call.path.contains("page=");
        self.cloudflare.iter().filter(is_first).count()
    }

    fn mutations(&self) -> usize {
        let calls = self.cloudflare.iter();
        calls.filter(|call| call.operation.is_mutation()).count()
    }

    /// Writes of the objects themselves and of their status.
    fn object_writes(&self) -> usize {
        let is_write = |event: &&AuditEvent| {
            event.resource == "ssoconnectors" && ["patch", "update"].contains(&event.verb.as_str())
        };
        self.kubernetes.iter().filter(is_write).count()
    }

    /// All calls to Cloudflare.
    fn by_operation(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in &self.cloudflare {
            *counts.entry(format!("{:?}", call.operation)).or_default() += 1;
        }
        counts
    }

    /// All calls to the API server, as `verb resource/subresource`.
    fn by_verb(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for event in &self.kubernetes {
            let slash = if event.subresource.is_empty() {
                ""
            } else {
                "/"
            };
            let kind = format!(
                "{} {}{slash}{}",
                event.verb, event.resource, event.subresource
            );
            *counts.entry(kind).or_default() += 1;
        }
        counts
    }

    fn intervals(&self, interval: Duration) -> f64 {
        (self.lasted.as_secs_f64() / interval.as_secs_f64()).ceil()
    }
}

/// Lets a population come to rest, restarts the operator beside it, and looks at it do nothing.
pub(crate) async fn measure(binary: PathBuf, size: Size) -> Result<Vec<Figure>, Failure> {
    let floor = floor(binary.clone(), size).await?;
    let ground = ground(binary, size).await?;
    let mut figures = Vec::new();
    let begun = Instant::now();
    let mut operator = ground.operator(&SCALED).await?;
    let start = begun.elapsed().as_secs_f64();
    let scene = size.scene();
    figures.push(Figure::new(&scene, "first start: to /readyz", start, "s"));
    let empty = mebibytes(operator.process().holdings()?.memory);
    figures.push(Figure::new(
        &scene,
        "memory before the first object",
        empty,
        "MiB",
    ));

    figures.extend(come_to_rest(&ground, &mut operator, size, floor).await?);
    figures.extend(stay_at_rest(&ground, &mut operator, size).await?);
    // It gives its Lease back, so that nobody waits for that to end.
    operator.terminate(PATIENCE).await?;
    figures.extend(restart(&ground, size).await?);
    figures.extend(idle(&ground, size).await?);
    Ok(figures)
}

/// How long the bare calls take that make the population, from the first apply to the last code.
async fn floor(binary: PathBuf, size: Size) -> Result<Duration, Failure> {
    let ground = ground(binary, size).await?;
    let bare = Bare::new(&ground, NAMESPACE).await?;
    let begun = Instant::now();
    bare.apply_and_create(0..size.objects).await?;
    Ok(begun.elapsed())
}

async fn ground(binary: PathBuf, size: Size) -> Result<Ground, Failure> {
    let options = Options::default().with_audit_log();
    Ground::prepare(binary, size.accounts, options).await
}

async fn come_to_rest(
    ground: &Ground,
    operator: &mut Operator,
    size: Size,
    floor: Duration,
) -> Result<Vec<Figure>, Failure> {
    let scene = size.scene();
    let (objects, accounts) = (whole(size.objects), whole(size.accounts));
    let before = operator.process().holdings()?.processor;
    let mark = Mark::set(ground).await?;
    ground.create_all(0..size.objects).await?;
    until_all_say(operator, "AwaitingVerification", size.objects).await?;
    let created = mark.until_now(ground).await?;
    let used = operator.process().holdings()?.processor;
    let used = used.saturating_sub(before).as_secs_f64();

    let mark = Mark::set(ground).await?;
    ground.publish_all();
    until_all_say(operator, "Available", size.objects).await?;
    let verified = mark.until_now(ground).await?;

    let posts = created.of(Operation::Create);
    let gets = created.of(Operation::Get) + verified.of(Operation::Get);
    let others = created.cloudflare.len() + verified.cloudflare.len() - posts - gets;
    let elapsed = created.intervals(POLL_UNVERIFIED) + verified.intervals(POLL_UNVERIFIED);
    let allowed = accounts * (2.0 + elapsed + created.intervals(OBSERVATION_LIMIT));
    let per_object = |count: usize| whole(count) / objects;
    let mut figures = vec![
        Figure::new(&scene, "creation", created.lasted.as_secs_f64(), "s")
            .beside(floor.as_secs_f64()),
        Figure::new(&scene, "creation: processor time", used, "s"),
        Figure::count(&scene, "POSTs", posts)
            .beside(objects)
            .wanted(Goal::Floor),
        Figure::count(&scene, "GETs by ID until Verified", gets).wanted(Goal::AtMost(objects)),
        Figure::count(&scene, "other calls until Verified", others).wanted(Goal::AtMost(allowed)),
        Figure::new(
            &scene,
            "writes to the code",
            per_object(created.object_writes()),
            "/object",
        )
        .beside(2.0)
        .wanted(Goal::Floor),
        Figure::new(
            &scene,
            "writes until Verified",
            per_object(verified.object_writes()),
            "/object",
        )
        .beside(1.0)
        .wanted(Goal::Floor),
    ];
    for stretch in [&created, &verified] {
        for (operation, count) in stretch.by_operation() {
            figures.push(Figure::count(
                &scene,
                &format!("of them {operation}"),
                count,
            ));
        }
    }
    for (kind, count) in created.by_verb() {
        let name = format!("{kind} to the code");
        figures.push(Figure::new(&scene, &name, per_object(count), "/object"));
    }
    Ok(figures)
}

async fn stay_at_rest(
    ground: &Ground,
    operator: &mut Operator,
    size: Size,
) -> Result<Vec<Figure>, Failure> {
    let scene = size.scene();
    let before = Mark::set(ground).await?;
    // A span of time is what is measured; there is nothing to be awaited in it.
    tokio::time::sleep(POLL_SETTLED * INTERVALS).await;
    let rest = before.until_now(ground).await?;
    let floor = whole(size.accounts) * f64::from(INTERVALS);
    let holdings = operator.process().holdings()?;
    Ok(vec![
        Figure::count(
            &scene,
            &format!("calls in {INTERVALS} settled intervals"),
            rest.cloudflare.len(),
        )
        .beside(floor)
        .wanted(Goal::AtMost(floor)),
        Figure::count(
            &scene,
            &format!("writes in {INTERVALS} settled intervals"),
            rest.object_writes(),
        )
        .wanted(Goal::AtMost(0.0)),
        Figure::new(&scene, "memory at rest", mebibytes(holdings.memory), "MiB")
            .wanted(Goal::AtMost(size.memory_limit())),
        Figure::new(&scene, "peak memory", mebibytes(holdings.peak), "MiB"),
    ])
}

async fn restart(ground: &Ground, size: Size) -> Result<Vec<Figure>, Failure> {
    let scene = size.scene();
    let mark = Mark::set(ground).await?;
    let mut operator = ground.operator(&SCALED).await?;
    let ready = mark.at.elapsed();
    until_all_say(&operator, "Available", size.objects).await?;
    let settled = mark.at.elapsed();
    let after = mark.until_now(ground).await?;
    let peak = operator.process().holdings()?.peak;
    operator.terminate(PATIENCE).await?;
    let accounts = whole(size.accounts);
    // More may be due if it took longer than an interval.
    let due = accounts * after.intervals(POLL_SETTLED);
    Ok(vec![
        Figure::new(&scene, "restart: to /readyz", ready.as_secs_f64(), "s"),
        Figure::new(
            &scene,
            "restart: until all are looked at",
            settled.as_secs_f64(),
            "s",
        ),
        Figure::count(&scene, "restart: changes at Cloudflare", after.mutations())
            .wanted(Goal::AtMost(0.0)),
        Figure::count(&scene, "restart: writes of objects", after.object_writes())
            .wanted(Goal::AtMost(0.0)),
        Figure::count(&scene, "restart: lists", after.lists())
            .beside(accounts)
            .wanted(Goal::AtMost(due)),
        Figure::count(
            &scene,
            "restart: other calls",
            after.cloudflare.len() - after.lists(),
        )
        .wanted(Goal::AtMost(0.0)),
        Figure::new(&scene, "restart: peak memory", mebibytes(peak), "MiB"),
    ])
}

/// With its own durations, as a settled cluster has it.
async fn idle(ground: &Ground, size: Size) -> Result<Vec<Figure>, Failure> {
    let scene = size.scene();
    let mut operator = ground.operator(&[]).await?;
    until_all_say(&operator, "Available", size.objects).await?;
    let before = operator.process().holdings()?.processor;
    // Here, too.
    tokio::time::sleep(IDLE).await;
    let after = operator.process().holdings()?;
    let used = after.processor.saturating_sub(before);
    let share = 100.0 * used.as_secs_f64() / IDLE.as_secs_f64();
    Ok(vec![
        Figure::new(&scene, "idle processor time", share, "% of a core").wanted(Goal::AtMost(1.0)),
        Figure::new(
            &scene,
            "memory after a restart",
            mebibytes(after.memory),
            "MiB",
        )
        .wanted(Goal::AtMost(size.memory_limit())),
    ])
}

/// KiB as MiB.
#[expect(clippy::cast_precision_loss, reason = "no process has that much")]
fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1024.0
}
