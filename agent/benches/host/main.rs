//! Measures the agent beside others on a real host: systemd as PID 1, in a container.
//!
//!     make bench                                            # everything; about 40 minutes
//!     cargo bench -p sentinel --bench host -- heal load     # parts: heal, alert, probe, load, outage, installed
//!     cargo bench -p sentinel --bench host -- heal --samples 50
//!     cargo bench -p sentinel --bench host -- installed --minutes 60
//!
//! Nothing here passes or fails by a time. It exits 0 unless something could not be measured; then it says what, and
//! exits 1. `agent/docs/benchmarks.md` tells the method and the figures.
//!
//! * out here: `machine` describes where it runs, `package` makes and installs the package, `figures` and `report` are what
//!   comes out
//! * `inside`: the same program within the host, where every moment is taken by one clock

#![allow(
    unreachable_pub,
    clippy::cast_precision_loss,
    reason = "a program has nobody to reach, and what is counted here is far from the limits of a float"
)]

#[allow(dead_code, reason = "shared with the tests; each uses its part")]
#[path = "../../tests/support/host.rs"]
mod host;

mod aims;
mod figures;
mod inside;
mod machine;
mod options;
mod package;
mod report;

use std::cell::LazyCell;
use std::io::{BufRead as _, BufReader};
use std::process::{ExitCode, Stdio};

use anyhow::{Context as _, bail, ensure};

use figures::Figure;
use host::Host;
use machine::Machine;
use options::Options;
use report::Report;

/// Where this program is put in the host.
const INSIDE: &str = "/usr/local/bin/sentinel-bench";

/// The state directory is a volume: the root of the container may be a slow file system in user space, and no host has
/// its state on one.
const HOST_OPTIONS: [&str; 2] = ["--volume", "/var/lib/sentinel"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, rest)) if first == "inside" => inside::run(rest).map(|()| true),
        // `cargo bench` says so; `cargo test --all-targets` does not, and must not take ten minutes.
        _ if !arguments.iter().any(|argument| argument == "--bench") => {
            println!("run it with `cargo bench -p sentinel --bench host`");
            return ExitCode::SUCCESS;
        }
        _ => Options::parse(&arguments).and_then(|options| measure(&options)),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, and reports what was measured. Answers whether that is everything.
fn measure(options: &Options) -> anyhow::Result<bool> {
    let agent = options::agent()?;
    let this = std::env::current_exe()?;
    // Shared by all parts that put the agent there by hand, and not booted for the one that does not.
    let by_hand = LazyCell::new(|| {
        let host = Host::start_with(&HOST_OPTIONS);
        host.install_agent(&agent, "2");
        host.install(&this, INSIDE);
        host
    });

    let mut report = Report::new(Machine::describe(&agent)?);
    for part in &options.parts {
        eprintln!("measuring: {part}");
        let mut figures = Vec::new();
        let measured = if part == inside::INSTALLED {
            package::host(&agent).and_then(|host| {
                host.install(&this, INSIDE);
                run_inside(&host, part, options.minutes, &mut figures)
            })
        } else {
            run_inside(&by_hand, part, options.samples, &mut figures)
        };
        if let Err(error) = measured {
            eprintln!("{error:#}");
            report.missing.push(format!("{part}: {error:#}"));
        }
        report.figures.append(&mut figures);
    }
    report.finish();
    println!("{report}");
    let path = report.save()?;
    println!("the same for programs: {}", path.display());
    for missing in &report.missing {
        println!("not measured: {missing}");
    }
    Ok(report.missing.is_empty())
}

/// Has one part measured within the host. `figures` has what came before it failed.
fn run_inside(host: &Host, part: &str, number: usize, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
    let mut child = host
        .command([INSIDE, "inside", part, &number.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("docker exec cannot be run")?;
    let stdout = child.stdout.take().context("stdout is a pipe")?;
    for line in BufReader::new(stdout).lines() {
        let figure = serde_json::from_str(&line?).context("the inner program says something else than figures")?;
        figures.push(figure);
    }
    let status = child.wait()?;
    ensure!(status.success(), "the inner program failed: {status}");
    if figures.is_empty() {
        bail!("the inner program measured nothing");
    }
    Ok(())
}
