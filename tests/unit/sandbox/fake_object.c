int fake_object_answer(void);
int fake_object_answer(void)
{
    return 42;
}
