"""`%adopt` in a real kernel: results come over without running the code again, where that is sound."""

from __future__ import annotations

from .live import Kernel


def test_new_and_rebound_values_come_over_and_nothing_runs_again(
    kernel: Kernel,
) -> None:
    kernel.run("x = 1")
    tried = kernel.run("%%trial\nx = 2\nframe = pd.DataFrame({'a': np.arange(1e6)})\nwhen = os.getpid()")
    assert "%adopt brings over frame, when, x" in tried.account
    assert kernel.run("%adopt").stdout == "Adopted frame, when, x.\n"
    assert kernel.value("x, len(frame), when == os.getpid()") == "2 1000000 False"
    kernel.run("frame.loc[0, 'a'] = 7.5")
    assert kernel.value("frame.a[0]") == "7.5"


def test_what_cannot_come_over_is_named_with_the_reason(kernel: Kernel) -> None:
    kernel.run("listed, doomed, shared = [1], 1, [0]")
    kernel.run(
        "%%trial\nlisted.append(2)\ndel doomed\ndef function(): pass\nclass Own: pass\nobject_ = Own()\nfine = 3\n"
        "holder = {'inner': shared}"
    )
    told = kernel.run("%adopt").stdout
    assert told.startswith("Adopted fine.\n")
    for line in (
        "listed was not: it was changed in place",
        "doomed was not: it was deleted",
        "function was not: a function or class is defined by running its cell",
        "object_ was not: it holds __main__.Own",
        "holder was not: it shares objects with shared",
    ):
        assert line in told
    assert told.endswith("%adopt --run runs the cell for real, with your rights.\n")
    assert kernel.value("listed, doomed, fine") == "[1] 1 3"


def test_names_can_be_chosen_and_values_that_share_come_together(kernel: Kernel) -> None:
    kernel.run("%%trial\none = [1]\ntwo = {'of': one}\nthree = 3")
    assert kernel.run("%adopt one two").stdout == "Adopted one, two.\n"
    assert kernel.value("two['of'] is one, 'three' in dir()") == "True False"


def test_running_for_real_is_one_word_away(kernel: Kernel) -> None:
    kernel.run("done = []")
    kernel.run("%%trial\ndone.append(1)\ndef made(): return 5")
    kernel.run("%adopt --run")
    assert kernel.value("done, made()") == "[1] 5"


def test_without_a_trial_that_ran_to_its_end_nothing_is_adopted(kernel: Kernel) -> None:
    kernel.run("%unload_ext nbagent\n%load_ext nbagent")
    assert "There is no trial to adopt" in kernel.run("%adopt").stderr
    kernel.run("%%trial\nhalf = 1\nraise ValueError")
    assert "did not run to its end" in kernel.run("%adopt").stderr
    kernel.run("%%trial\npass")
    assert "changed no variable" in kernel.run("%adopt").stderr
    kernel.run("%%trial\nhalf = 1")
    assert "other cannot be adopted: the trial did not change it" in kernel.run("%adopt other").stderr
    assert kernel.value("'half' in dir()") == "False"
