"""rebop as a Rust crate, the variant being `macro` (the model compiled) or `runtime`. The program times itself,
by the processor time that the kernel counts."""
import re
import subprocess

from adapter import serve

MAIN = """use std::io::BufRead;
%s
fn used() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() * 1e-9
}
fn main() {
    for line in std::io::stdin().lock().lines() {
        let ask: Vec<f64> = line.unwrap().split(' ').map(|w| w.parse().unwrap()).collect();
        let start = used();
        let finals: Vec<Vec<isize>> = (0..ask[1] as u64).map(|k| one(ask[0], ask[2] as u64 * 100003 + k)).collect();
        print!("{}", used() - start);
        for f in &finals {
            print!(" ;");
            for n in f { print!(" {}", n); }
        }
        println!();
    }
}
"""


def text_macro(job):
    side = lambda names: " + ".join(names)
    steps = "\n".join(f"    r{i}: {side(left)} => {side(right)} @ {constant!r}" for i, (constant, left, right)
                      in enumerate(job.falling()))
    steps = re.sub(r"\b(\w+) \+ \1\b", r"2 \1", steps)
    starts = "".join(f"    m.{s} = {n};\n" for s, n in job.species.items() if n)
    return (f"#![recursion_limit = \"4096\"]\n" + MAIN % (
        f"rebop::define_system! {{\n    ;\n    M {{ {', '.join(job.species)} }}\n{steps}\n}}\n"
        f"fn one(time: f64, seed: u64) -> Vec<isize> {{\n    let mut m = M::new();\n    m.seed(seed);\n{starts}"
        f"    m.advance_until(time);\n    vec![{', '.join('m.' + s for s in job.species)}]\n}}"))


def text_runtime(job):
    at = {s: i for i, s in enumerate(job.species)}
    rows = []
    for constant, left, right in job.falling():
        takes = ", ".join(f"({at[s]}, {left.count(s)})" for s in dict.fromkeys(left))
        jumps = ", ".join(f"({at[s]}, {d})" for s in dict.fromkeys(left + right) if (d := right.count(s) - left.count(s)))
        rows.append(f"    ({constant!r}, &[{takes}], &[{jumps}]),\n")
    starts = ", ".join(map(str, job.species.values()))
    return MAIN % (f"""use rebop::gillespie::{{Gillespie, Rate}};
const N: usize = {len(at)};
const SPARSE: bool = {str(len(at) > 20).lower()};
static START: [isize; N] = [{starts}];
static STEPS: &[(f64, &[(u32, u32)], &[(usize, isize)])] = &[
{''.join(rows)}];
thread_local!(static MODEL: Gillespie = {{
    let mut g = Gillespie::new(START, SPARSE);
    for (c, takes, jumps) in STEPS {{
        let mut d = [0; N];
        for (i, n) in jumps.iter() {{ d[*i] = *n; }}
        let rate = Rate::lma_sparse(*c, takes);
        if SPARSE {{ g.add_reaction(rate, d); continue; }}
        let mut dense = [0; N];
        for (i, n) in takes.iter() {{ dense[*i as usize] = *n; }}
        g.add_reaction(Rate::lma(*c, dense), d);
    }}
    g
}});
fn one(time: f64, seed: u64) -> Vec<isize> {{
    let mut g = MODEL.with(|m| m.clone());
    g.seed(seed);
    g.advance_until(time);
    (0..N).map(|i| g.get_species(i)).collect()
}}""")


def build(job, folder, variant):
    project = folder / "rebop"  # one for all jobs, so that the crates are compiled once
    name = f"{job.name}_{variant}"
    (project / "src" / "bin").mkdir(parents=True, exist_ok=True)
    if not (project / "Cargo.toml").exists():
        (project / "Cargo.toml").write_text('[package]\nname = "peers"\nversion = "0.1.0"\nedition = "2021"\n\n[profile.release]\n'
                                            "lto = true\ncodegen-units = 1\n")
        (project / "src" / "lib.rs").write_text("")
        subprocess.run(["cargo", "add", "-q", "rebop"], cwd=project, check=True)
    (project / "src" / "bin" / f"{name}.rs").write_text(text_macro(job) if variant == "macro" else text_runtime(job))
    subprocess.run(["cargo", "build", "-q", "--release", "--bin", name], cwd=project, check=True, stdout=subprocess.DEVNULL)
    version = re.search(r'name = "rebop"\nversion = "(.*)"', (project / "Cargo.lock").read_text()).group(1)
    program = subprocess.Popen([project / "target" / "release" / name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(time, replicas, seed):
        print(time, replicas, seed, file=program.stdin, flush=True)
        took, *finals = program.stdout.readline().split(";")
        return float(took), finals

    return version, run, lambda finals: (f.split() for f in finals)


serve(build)
