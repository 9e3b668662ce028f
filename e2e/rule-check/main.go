// Command rule-check does what "promtool check rules" does, by Prometheus' own code: promtool itself needs modules
// that are not on the proxy. With -queries it checks expressions instead, one a line on standard input.
package main

import (
	"bufio"
	"fmt"
	"log/slog"
	"os"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: rule-check FILE… | rule-check -queries <EXPRESSIONS")
		os.Exit(2)
	}
	parse := parser.NewParser(parser.Options{})
	good := true
	if os.Args[1] == "-queries" {
		good = queries(parse)
	} else {
		for _, file := range os.Args[1:] {
			good = rules(parse, file) && good
		}
	}
	if !good {
		os.Exit(1)
	}
}

func rules(parse parser.Parser, file string) bool {
	groups, errs := rulefmt.ParseFile(file, false, model.UTF8Validation, parse, slog.Default())
	for _, err := range errs {
		fmt.Fprintln(os.Stderr, file, err)
	}
	if len(errs) > 0 {
		return false
	}
	n := 0
	for _, group := range groups.Groups {
		n += len(group.Rules)
	}
	fmt.Println(file, "ok:", len(groups.Groups), "groups,", n, "rules")
	return true
}

func queries(parse parser.Parser) bool {
	good, n := true, 0
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		n++
		if _, err := parse.ParseExpr(lines.Text()); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", lines.Text(), err)
			good = false
		}
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return false
	}
	if good {
		fmt.Println("ok:", n, "expressions")
	}
	return good
}
