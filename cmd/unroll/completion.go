package main

import (
	"bytes"
	"errors"
	"strings"

	"github.com/spf13/cobra"
)

// bashWords is what cobra's script takes from the package bash-completion, which many
// shells do not have: the words of the line, not cut at "=" and ":", the one at the
// cursor and the one before. COMP_WORDS are cut there, and are put together again where
// no blank stands between them.
const bashWords = `    local i word rest=$COMP_LINE after=${COMP_LINE:COMP_POINT}
    words=() cword=0
    for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do
        word=${COMP_WORDS[i]}
        if ((i > 0)) && [[ $rest != [[:space:]]* && ($word == [=:]* || ${COMP_WORDS[i - 1]} == *[=:]) ]]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word")
        fi
        rest=${rest#*"$word"}
        if ((i == COMP_CWORD)); then
            cword=$((${#words[@]} - 1))
        fi
    done
    prev=
    if ((cword > 0)); then
        prev=${words[cword - 1]}
    fi
    cur=${words[cword]}
    cur=${cur%"${after%%[[:space:]]*}"}
`

// bashScript is cobra's script, which wants nothing but bash.
func bashScript(root *cobra.Command, described bool) (string, error) {
	var b bytes.Buffer
	if err := root.GenBashCompletionV2(&b, described); err != nil {
		return "", err
	}
	const call = "    _get_comp_words_by_ref \"$@\" cur prev words cword\n"
	if bytes.Count(b.Bytes(), []byte(call)) != 1 {
		return "", errors.New("cobra's script for bash has another form than that whose needs are known")
	}
	return strings.Replace(b.String(), call, bashWords, 1), nil
}
