import type { CliContext } from "../context.js";

const bash = `# bash completion for latchkey: source <(latchkey completion bash)
_latchkey() {
  local line=\${COMP_LINE:0:COMP_POINT} words cur before breaks prefix= IFS=$' \\t\\n'
  # Split at blanks only: ids contain ":", "=" and "@", at which bash itself would split.
  read -r -a words <<< "$line"
  [[ $line == *[[:blank:]] ]] && words+=("")
  cur=\${words[\${#words[@]}-1]}
  before=\${words[\${#words[@]}-2]}
  IFS=$'\\n'
  case $before in
    -f | --file | --password-file | --source-password-file | --tls-ca-file | --tls-cert-file | --tls-key-file)
      compopt -o filenames 2>/dev/null
      COMPREPLY=($(compgen -f -- "$cur"))
      return
      ;;
  esac
  COMPREPLY=($(latchkey __complete -- "\${words[@]:1}" 2>/dev/null))
  # bash replaces only the text after its own last word break.
  breaks=\${COMP_WORDBREAKS//[^:=@]/}
  [[ -n $breaks ]] && prefix=\${cur%"\${cur##*[$breaks]}"}
  COMPREPLY=("\${COMPREPLY[@]#"$prefix"}")
}
complete -F _latchkey latchkey
`;

const zsh = `#compdef latchkey
# zsh completion for latchkey: source <(latchkey completion zsh)
_latchkey() {
  local -a found
  case $words[CURRENT-1] in
    -f | --file | --password-file | --source-password-file | --tls-ca-file | --tls-cert-file | --tls-key-file) _files; return ;;
  esac
  found=(\${(f)"$(latchkey __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  compadd -- $found
}
compdef _latchkey latchkey
`;

const fish = `# fish completion for latchkey
function __latchkey_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  latchkey __complete -- $words[2..-1] "$current" 2>/dev/null
end
complete -c latchkey -f -a '(__latchkey_complete)'
complete -c latchkey -s f -l file -r -F
complete -c latchkey -l password-file -r -F
complete -c latchkey -l source-password-file -r -F
complete -c latchkey -l tls-ca-file -r -F
complete -c latchkey -l tls-cert-file -r -F
complete -c latchkey -l tls-key-file -r -F
`;

const SCRIPTS = { bash, zsh, fish } as const;

/** Prints the completion script of a shell. */
export async function printCompletion(context: CliContext, shell: keyof typeof SCRIPTS): Promise<void> {
  await context.write(SCRIPTS[shell]);
}
