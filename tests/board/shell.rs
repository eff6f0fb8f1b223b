//! What packages and shells are given: completions and the manual.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

fn fuseboard(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fuseboard")).args(args).output().unwrap()
}

fn printed(args: &[&str]) -> String {
    let done = fuseboard(args);
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// What a program says of an input; `None` if it is not installed.
fn fed(program: &str, args: &[&str], input: &str) -> Option<Output> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take().unwrap();
    let text = input.to_owned();
    let writing = std::thread::spawn(move || drop(stdin.write_all(text.as_bytes())));
    let done = child.wait_with_output().unwrap();
    writing.join().unwrap();
    Some(done)
}

/// The names of all commands, with those below them: `breaker`, `breaker-list` …, by asking `--help`.
fn commands(above: &[&str]) -> BTreeSet<String> {
    let help = printed(&[above, &["--help"]].concat());
    let mut lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = lines.by_ref().take_while(|line| !line.is_empty());
    // What a command does may go on in lines that are indented more.
    let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    let mut all = BTreeSet::new();
    for name in names {
        let words = [above, &[name]].concat();
        all.insert(words.join("-"));
        all.extend(commands(&words));
    }
    all
}

#[test]
fn every_shell_gets_what_it_understands() {
    for (shell, check) in [
        ("bash", &["-n"][..]),
        ("zsh", &["-n"]),
        ("fish", &["--no-execute"]),
        ("elvish", &["-compileonly"]),
        ("powershell", &[]),
    ] {
        let script = printed(&["completions", shell]);
        for word in ["breaker", "penalize", "json", "top", "completions"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        let said = (!check.is_empty()).then(|| fed(shell, check, &script)).flatten();
        let complaint =
            said.map(|said| (said.status.success(), String::from_utf8_lossy(&said.stderr).into_owned()));
        assert!(complaint.as_ref().is_none_or(|(is_fine, _)| *is_fine), "{shell}: {complaint:?}");
    }
    let refused = fuseboard(&["completions", "tcsh"]);
    assert_eq!(refused.status.code(), Some(2));
}

/// What bash offers after these words.
fn completed(script: &Path, words: &[&str]) -> BTreeSet<String> {
    let line = words.join(" ");
    let code = format!(
        "source {}; COMP_WORDS=({line} ''); COMP_CWORD={}; _fuseboard fuseboard '' {}; echo \"${{COMPREPLY[@]}}\"",
        script.display(),
        words.len(),
        words.last().unwrap()
    );
    let done = Command::new("bash").args(["--norc", "-c", &code]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().split_whitespace().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_and_their_flags() {
    let folder = TempDir::new().unwrap();
    let script = folder.path().join("fuseboard.bash");
    fs::write(&script, printed(&["completions", "bash"])).unwrap();
    let offered = completed(&script, &["fuseboard"]);
    for command in commands(&[]).iter().filter(|name| !name.contains('-')) {
        assert!(offered.contains(command), "{command}: {offered:?}");
    }
    let offered = completed(&script, &["fuseboard", "breaker", "trip"]);
    assert!(
        ["--for", "--hold", "--reason", "--json", "--url"].iter().all(|flag| offered.contains(*flag)),
        "{offered:?}"
    );
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let folder = TempDir::new().unwrap();
    let dir = folder.path().join("share/man/man1");
    printed(&["man", "--dir", dir.to_str().unwrap()]);
    let pages: BTreeSet<_> =
        fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let mut wanted: BTreeSet<_> = commands(&[]).iter().map(|name| format!("fuseboard-{name}.1")).collect();
    assert!(wanted.contains("fuseboard-breaker-trip.1"), "{wanted:?}");
    wanted.insert("fuseboard.1".to_owned());
    assert_eq!(pages, wanted);
    for page in &pages {
        let path = dir.join(page);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"), "{page}");
        // Whatever formats manuals here finds nothing to complain of.
        for (program, args) in
            [("mandoc", &["-T", "lint", "-W", "error"][..]), ("groff", &["-man", "-ww", "-z", "-K", "utf8"])]
        {
            if let Some(said) = fed(program, args, &text) {
                let complaint = String::from_utf8_lossy(&said.stderr).into_owned();
                assert!(said.status.success() && complaint.is_empty(), "{page}: {program}: {complaint}");
            }
        }
    }
    let page = printed(&["man"]);
    assert_eq!(page.trim_end(), fs::read_to_string(dir.join("fuseboard.1")).unwrap().trim_end());
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(fuseboard(&["man", "--dir", file.to_str().unwrap()]).status.code(), Some(1));
}
